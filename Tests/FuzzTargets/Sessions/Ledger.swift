// Who sent what of which body, so that what arrives on the other side of the Gate can be compared with it.

/// The requests of an input, and the answers to them. Bodies are not stored: each byte follows from its place.
final class Ledger {
  struct Request {
    var isHEAD: Bool
    /// Bytes of the body that were sent.
    var sent = 0
    /// The client said that this was all.
    var hasEnded = false
    /// The body is not what `byte(_:_:)` says.
    var isTainted = false
  }

  /// A request that a target got, and what it answered.
  struct Attempt {
    var request: Int?
    var sent = 0
    var hasEnded = false
    var isTainted = false
    /// The target went away: perhaps before the Gate had all of it.
    var isLost = false
  }

  var requests: [Request] = []
  var attempts: [Attempt] = []

  /// The path that names a request. It is written without index, so that no other header block can refer to it.
  static func path(_ request: Int) -> String { "/request-\(request)" }

  /// The request that a path names.
  func request(path: some StringProtocol) -> Int? {
    guard path.hasPrefix("/request-"), let number = Int(path.dropFirst(9)), requests.indices.contains(number) else {
      return nil
    }
    return number
  }

  /// The byte at a place of a body.
  @inline(__always)
  static func byte(_ tag: Int, _ offset: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: tag &* 37 &+ offset &+ offset >> 8 &* 11)
  }

  static func body(_ tag: Int, from offset: Int, _ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { room, written in
      for index in 0..<count { room[index] = byte(tag, offset + index) }
      written = count
    }
  }

  static func isBody(_ tag: Int, from offset: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in bytes.indices where bytes[index] != byte(tag, offset + index) { return false }
    return true
  }

  /// The tag of an answer's body; a request's is its number.
  static func answerTag(_ attempt: Int) -> Int { attempt + 101 }

  /// A part of a request's body came to a target.
  func checkRequestBody(_ request: Int?, from offset: Int, _ bytes: UnsafeBufferPointer<UInt8>) {
    guard let request, !requests[request].isTainted else { return }
    require(Self.isBody(request, from: offset, bytes), "another request's body, or another order")
    require(offset + bytes.count <= requests[request].sent, "more of a body than the client sent")
  }

  /// All of a request's body came to a target.
  func checkRequestEnd(_ request: Int?, total: Int) {
    guard let request, !requests[request].isTainted else { return }
    require(requests[request].hasEnded, "a request ended that its client did not end")
    require(requests[request].sent == total, "part of a request passed as all of it")
  }

  /// A part of an answer's body came to the client.
  func checkAnswerBody(_ attempt: Int?, from offset: Int, _ bytes: UnsafeBufferPointer<UInt8>) {
    guard let attempt, !attempts[attempt].isTainted else { return }
    require(Self.isBody(Self.answerTag(attempt), from: offset, bytes), "another answer's body, or another order")
    require(offset + bytes.count <= attempts[attempt].sent, "more of a body than the target sent")
  }

  /// All of an answer came to its client.
  func checkAnswerEnd(_ attempt: Int?, total: Int, isHEAD: Bool) {
    guard let attempt, !attempts[attempt].isTainted else { return }
    require(attempts[attempt].hasEnded, "an answer ended that its target did not end")
    require(isHEAD || attempts[attempt].sent == total, "part of an answer passed as all of it")
  }
}

/// A property that must hold. Unlike `precondition`, what was wrong is said in optimised builds too.
@inline(__always)
func require(_ holds: Bool, _ what: @autoclosure () -> String = "a property does not hold") {
  if !holds { fatalError(what()) }
}
