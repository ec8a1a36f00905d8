// A small HTTP/1.1 client that blocks: one request, one answer, on a thread that may wait. For identity providers.
import Glibc
import HTTPWire

struct FetchRequest: Sendable {
  var method = "GET"
  /// `http://host[:port]/path`
  var url: String
  var headers: [(name: String, value: String)] = []
  var body: [UInt8] = []
  /// PEM: authorities that are trusted besides the machine's.
  var authorities: String?
}

enum FetchOutcome: Sendable {
  case answered(status: Int, body: [UInt8])
  case timedOut
  /// No connection, or no HTTP; the reason for the log.
  case failed(String)
  case tooLarge
}

/// The bytes of one connection, plain or encrypted.
protocol FetchStream {
  /// False when the connection failed.
  func send(_ bytes: [UInt8]) -> Bool
  /// How many bytes came; 0 at the end, negative for a failure or a timeout (`errno` says which).
  func receive(into buffer: inout [UInt8]) -> Int
}

enum HTTPFetch {
  /// Seconds to connect, and to wait for each piece of the answer.
  private static let patience = 5
  private static let answerMax = 64 << 10

  static func perform(_ request: FetchRequest) -> FetchOutcome {
    guard let place = FetchPlace(request.url) else { return .failed("not a URL: \(request.url)") }
    var reason = "no address of \(place.host)"
    for address in addresses(of: place) {
      let descriptor = connect(address)
      if descriptor < 0 {
        reason = String(cString: strerror(errno))
        if errno == EINPROGRESS || errno == ETIMEDOUT || errno == EAGAIN { return .timedOut }
        continue
      }
      defer { close(descriptor) }
      guard let stream = FetchStreams.make(place, descriptor, request.authorities) else {
        return .failed("no TLS with \(place.host)")
      }
      return exchange(request, place, stream)
    }
    return .failed(reason)
  }

  private static func addresses(of place: FetchPlace) -> [sockaddr_in] {
    var hints = addrinfo()
    hints.ai_family = AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(place.host, "\(place.port)", &hints, &list) == 0 else { return [] }
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

  private static func connect(_ address: sockaddr_in) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return -1 }
    var limit = timeval(tv_sec: patience, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    var address = address
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return descriptor }
    let error = errno
    close(descriptor)
    errno = error
    return -1
  }

  private static func exchange(_ request: FetchRequest, _ place: FetchPlace, _ stream: any FetchStream) -> FetchOutcome
  {
    var text = "\(request.method) \(place.path) HTTP/1.1\r\nHost: \(place.authority)\r\nConnection: close\r\n"
    text += "Accept: application/json\r\nUser-Agent: ELB-OIDC/1.0\r\n"
    for (name, value) in request.headers { text += "\(name): \(value)\r\n" }
    if !request.body.isEmpty { text += "Content-Length: \(request.body.count)\r\n" }
    guard stream.send(Array((text + "\r\n").utf8) + request.body) else { return .failed("the request cannot be sent") }
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    var answer = FetchAnswer()
    while true {
      let count = stream.receive(into: &buffer)
      if count < 0 { return errno == EAGAIN ? .timedOut : .failed(String(cString: strerror(errno))) }
      received += buffer[0..<count]
      if received.count > answerMax { return .tooLarge }
      switch answer.read(received, isEnd: count == 0) {
      case .complete: return .answered(status: answer.status, body: answer.body)
      case .incomplete: continue
      case .broken: return .failed("the answer is not HTTP")
      }
    }
  }
}

/// Where a URL points.
struct FetchPlace: Sendable {
  var isSecure: Bool
  var host: String
  var port: UInt16
  var path: String
  /// Host and port as the URL has them.
  var authority: String

  init?(_ url: String) {
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let colon = url.range(of: "://") else { return nil }
    switch url[..<colon.start].lowercased() {
    case "http": isSecure = false
    case "https": isSecure = true
    default: return nil
    }
    let rest = url[colon.end...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    authority = String(rest[..<end])
    path = String(rest[end...])
    if !path.hasPrefix("/") { path = "/" + path }
    let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
    guard let name = parts.first, !name.isEmpty, parts.count <= 2 else { return nil }
    host = String(name)
    port = isSecure ? 443 : 80
    if parts.count == 2 {
      guard let number = UInt16(parts[1]) else { return nil }
      port = number
    }
  }
}

extension String {
  /// Where a short text is found first.
  fileprivate func range(of text: String) -> (start: Index, end: Index)? {
    var position = startIndex
    while position < endIndex {
      if self[position...].hasPrefix(text) { return (position, index(position, offsetBy: text.count)) }
      position = index(after: position)
    }
    return nil
  }
}

/// An answer as it arrives.
struct FetchAnswer {
  enum Progress { case complete, incomplete, broken }

  private(set) var status = 0
  private(set) var body: [UInt8] = []

  /// Reads all that has come so far, anew each time: answers are small.
  mutating func read(_ bytes: [UInt8], isEnd: Bool) -> Progress {
    var head = MessageHead()
    let parsed = bytes.withUnsafeBufferPointer { buffer -> HeadResult in
      guard let base = buffer.baseAddress else { return .incomplete }
      return head.parseResponse(base, buffer.count)
    }
    guard case .complete(let length) = parsed else { return parsed == .incomplete && !isEnd ? .incomplete : .broken }
    status = head.status
    let framing = head.responseFraming(toHEAD: false)
    var reader = BodyReader(framing)
    var content: [UInt8] = []
    let rest = Array(bytes[length...])
    let outcome = rest.withUnsafeBufferPointer { buffer -> BodyReader.Outcome in
      guard let base = buffer.baseAddress else { return .body(count: 0, isEnd: reader.isDone) }
      return reader.unwrap(base, buffer.count) { content.append(contentsOf: UnsafeBufferPointer(start: $0, count: $1)) }
    }
    guard case .body(_, let isComplete) = outcome else { return .broken }
    body = content
    if isComplete || reader.isDone || (framing == .untilClose && isEnd) { return .complete }
    return isEnd ? .broken : .incomplete
  }
}

/// Makes the stream that a URL's scheme asks for.
enum FetchStreams {
  /// nil when the handshake fails.
  static func make(_ place: FetchPlace, _ descriptor: Int32, _ authorities: String?) -> (any FetchStream)? {
    if !place.isSecure { return PlainStream(descriptor: descriptor) }
    return TLSFetchStream(host: place.host, descriptor: descriptor, authorities: authorities)
  }
}

private struct PlainStream: FetchStream {
  let descriptor: Int32

  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  func receive(into buffer: inout [UInt8]) -> Int { recv(descriptor, &buffer, buffer.count, 0) }
}
