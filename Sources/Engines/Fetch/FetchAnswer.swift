// An answer over HTTP/1.1, as it arrives.
import HTTPWire

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
