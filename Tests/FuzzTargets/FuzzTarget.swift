// What is fuzzed: parsers of bytes that anybody may send, each with what must hold whatever the bytes are.

/// A parser under test. `Tools/fuzz` feeds it what libFuzzer makes up, the tests replay the corpus.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A request as HTTP/1.1: its head, and how its body ends.
  case request
  /// A target's answer.
  case response
  /// A body in whatever pieces it comes.
  case body
  /// A header block of HTTP/2, and the head that is made of it.
  case headerBlock = "header-block"
  /// Frames of HTTP/2, one after the other.
  case frames
  /// A client of HTTP/2 that does anything, and targets that keep to the rules.
  case http2Server = "h2-server"
  /// A target of HTTP/2 that does anything, and a client that keeps to the rules.
  case http2Target = "h2-target"
  /// A request in front of a web ACL that looks everywhere.
  case webACL = "web-acl"
  /// A ClientHello, from its type on.
  case hello
  /// Records of TLS whose keys are known, and a network that does as it likes.
  case records
  /// A pattern, an empty byte, and a text: in each engine its two ways of matching must agree.
  case regex
  /// What stands in cookies and Authorization: sealed values, tokens, key sets.
  case token
  /// Documents of the AWS protocols.
  case document

  /// Takes any bytes. What must hold and does not ends the process, as a read beyond the bytes does.
  public func run(_ bytes: [UInt8]) {
    // Memory of just this size: AddressSanitizer sees the first byte beyond it.
    let exact = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytes.count))
    defer { exact.deallocate() }
    _ = exact.update(from: bytes)
    let view = UnsafeBufferPointer(rebasing: exact[0..<bytes.count])
    switch self {
    case .request: HeadChecks.request(view)
    case .response: HeadChecks.response(view)
    case .body: BodyChecks.run(view)
    case .headerBlock: HTTP2Checks.headerBlock(view)
    case .frames: HTTP2Checks.frames(view)
    #if DEBUG
      case .http2Server: SessionChecks.server(view)
      case .http2Target: SessionChecks.target(view)
      case .records: RecordChecks.run(view)
    #else
      case .http2Server, .http2Target, .records: preconditionFailure("looks into the Gate, as only debug builds let it")
    #endif
    case .webACL: WebACLChecks.run(view)
    case .hello: HelloChecks.run(view)
    case .regex: RegexChecks.run(view)
    case .token: TokenChecks.run(bytes)
    case .document: DocumentChecks.run(bytes)
    }
  }
}
