// A small HTTP/1.1 client that blocks: one request, one answer, on a thread that may wait. For identity providers.
import Glibc
import HTTPWire

/// What is asked.
public struct FetchRequest: Sendable {
  /// Where a host is that the machine's resolver is not asked for.
  public enum Place: Sendable, Equatable {
    /// An address, or another name. What is asked for, and whose certificate is wanted, is the URL's host all the same.
    case at(host: String, port: UInt16)
    /// It has no address.
    case nowhere
  }

  public var method: String
  /// `http://host[:port]/path` or `https://…`
  public var url: String
  /// Nil when the machine's resolver is asked for the URL's host.
  public var place: Place?
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]
  /// PEM: authorities that are trusted besides the machine's.
  public var authorities: String?
  /// Seconds for all of it, from the connection to the last byte. Looking up the name comes before.
  public var timeLimit: Double
  /// Bytes of an answer with its head.
  public var answerMax: Int

  public init(
    method: String = "GET", url: String, place: Place? = nil, headers: [(name: String, value: String)] = [],
    body: [UInt8] = [],
    authorities: String? = nil, timeLimit: Double = 5, answerMax: Int = 64 << 10
  ) {
    self.method = method
    self.url = url
    self.place = place
    self.headers = headers
    self.body = body
    self.authorities = authorities
    self.timeLimit = timeLimit
    self.answerMax = answerMax
  }
}

/// What came of it.
public enum FetchOutcome: Sendable {
  case answered(status: Int, body: [UInt8])
  case timedOut
  /// No connection, or no HTTP; the reason for the log.
  case failed(String)
  case tooLarge
}

/// Why bytes do not go on.
enum FetchProblem: Error {
  case timedOut
  case failed(String)

  var outcome: FetchOutcome {
    switch self {
    case .timedOut: .timedOut
    case .failed(let reason): .failed(reason)
    }
  }
}

/// The bytes of one connection, plain or encrypted.
protocol FetchStream {
  func send(_ bytes: [UInt8]) throws(FetchProblem)
  /// How many bytes came; 0 at the end.
  func receive(into buffer: inout [UInt8]) throws(FetchProblem) -> Int
}

public enum HTTPFetch {
  /// The same on a thread of its own, for callers that must not block.
  public static func answer(to request: FetchRequest) async -> FetchOutcome {
    await withCheckedContinuation { continuation in
      let job = Job(request: request, continuation: continuation)
      var thread = pthread_t()
      let own = Unmanaged.passRetained(job)
      let result = pthread_create(
        &thread, nil,
        { raw in
          if let raw {
            let job = Unmanaged<Job>.fromOpaque(raw).takeRetainedValue()
            job.continuation.resume(returning: HTTPFetch.perform(job.request))
          }
          return nil
        }, own.toOpaque())
      if result == 0 {
        pthread_detach(thread)
      } else {
        own.release()
        continuation.resume(returning: .failed("no thread: \(String(cString: strerror(result)))"))
      }
    }
  }

  private final class Job: Sendable {
    let request: FetchRequest
    let continuation: CheckedContinuation<FetchOutcome, Never>
    init(request: FetchRequest, continuation: CheckedContinuation<FetchOutcome, Never>) {
      self.request = request
      self.continuation = continuation
    }
  }

  /// Asks and waits for the answer. Redirections are answers as others.
  public static func perform(_ request: FetchRequest) -> FetchOutcome {
    guard let place = FetchPlace(request.url) else { return .failed("not a URL: \(request.url)") }
    var reason = "no address of \(place.host)"
    let addresses =
      switch request.place {
      case .at(let host, let port)?: addresses(of: host, port)
      case .nowhere?: [sockaddr_in]()
      case nil: addresses(of: place.host, place.port)
      }
    let deadline = FetchSocket.now() + UInt64(request.timeLimit * 1e6)
    for address in addresses {
      do {
        let socket = try FetchSocket(address, deadline: deadline)
        return try exchange(request, place, stream(place, socket, request.authorities))
      } catch {
        switch error {
        case .unreachable(let why): reason = why
        case .problem(let problem): return problem.outcome
        }
      }
    }
    return .failed(reason)
  }

  /// An address that cannot be reached may have a neighbour that can.
  enum Failure: Error {
    case unreachable(String)
    case problem(FetchProblem)
  }

  private static func stream(_ place: FetchPlace, _ socket: FetchSocket, _ authorities: String?) throws(Failure)
    -> any FetchStream
  {
    guard place.isSecure else { return socket }
    do { return try TLSFetchStream(host: place.host, socket, authorities: authorities) } catch { throw .problem(error) }
  }

  private static func addresses(of host: String, _ port: UInt16) -> [sockaddr_in] {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var result: [sockaddr_in] = []
    var entry = list
    while let each = entry {
      if let address = each.pointee.ai_addr, each.pointee.ai_family == AF_INET {
        result.append(address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee })
      }
      entry = each.pointee.ai_next
    }
    return result
  }

  private static func exchange(
    _ request: FetchRequest, _ place: FetchPlace, _ stream: any FetchStream
  ) throws(Failure) -> FetchOutcome {
    var text = "\(request.method) \(place.path) HTTP/1.1\r\nHost: \(place.authority)\r\nConnection: close\r\n"
    text += "Accept: application/json\r\nUser-Agent: ELB-OIDC/1.0\r\n"
    for (name, value) in request.headers { text += "\(name): \(value)\r\n" }
    if !request.body.isEmpty { text += "Content-Length: \(request.body.count)\r\n" }
    do {
      try stream.send(Array((text + "\r\n").utf8) + request.body)
      var received: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 16 << 10)
      var answer = FetchAnswer()
      while true {
        let count = try stream.receive(into: &buffer)
        received += buffer[0..<count]
        if received.count > request.answerMax { return .tooLarge }
        switch answer.read(received, isEnd: count == 0) {
        case .complete: return .answered(status: answer.status, body: answer.body)
        case .incomplete: continue
        case .broken: return .failed("the answer is not HTTP")
        }
      }
    } catch {
      throw .problem(error)
    }
  }
}
