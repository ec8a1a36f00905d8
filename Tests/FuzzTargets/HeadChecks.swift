// Heads of HTTP/1.1: what is taken is what it seems, however the bytes come and whatever follows them.
import HTTPWire

enum HeadChecks {
  typealias Bytes = UnsafeBufferPointer<UInt8>

  static func request(_ bytes: Bytes) { check(bytes) { $0.parseRequest($1, $2) } }
  static func response(_ bytes: Bytes) { check(bytes) { $0.parseResponse($1, $2) } }

  private static func check(
    _ bytes: Bytes, _ parse: (inout MessageHead, UnsafePointer<UInt8>, Int) -> HeadResult
  ) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    var head = MessageHead()
    let whole = parse(&head, base, bytes.count)
    switch whole {
    case .incomplete: break
    case .refused(let refusal): precondition((400...599).contains(refusal.status))
    case .complete(let length):
      precondition(length > 0 && length <= bytes.count)
      checkLines(head, base, length)
      followBody(head, base + length, bytes.count - length)
      // What follows a head does not change it.
      var alone = MessageHead()
      precondition(parse(&alone, base, length) == whole)
      precondition(alone.fieldCount == head.fieldCount && alone.isChunked == head.isChunked)
      precondition(alone.contentLength == head.contentLength)
      // A head that is not whole is never taken.
      for cut in [length / 3, length / 2, length - 1] where cut > 0 {
        if case .complete = parse(&alone, base, cut) { preconditionFailure("\(cut) of \(length) bytes were a head") }
      }
    }
  }

  /// Each line lies within the head, and has nothing in it that another reader could take for a line's end.
  private static func checkLines(_ head: borrowing MessageHead, _ base: UnsafePointer<UInt8>, _ length: Int) {
    precondition(head.fieldCount <= HeadLimits.fieldCountMax)
    precondition(head.target.start >= 0 && head.target.end <= length && head.method.end <= length)
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      let value = Int(field.valueStart)..<Int(field.valueStart + field.valueLength)
      precondition(field.start >= 0 && field.nameLength > 0 && field.end <= length)
      precondition(value.lowerBound > Int(field.start) && value.upperBound <= Int(field.end))
      for offset in value { precondition(base[offset] != 13 && base[offset] != 10 && base[offset] != 0) }
      for offset in 0..<Int(field.nameLength) { precondition(base[Int(field.start) + offset] > 0x20) }
      _ = head.nominates(field, in: base)
    }
    // Whoever speaks HTTP/1.0 may not know chunks: where its message ends is a matter of opinion.
    precondition(!(head.isChunked && head.minorVersion == 0 && head.keepsAlive))
  }

  private static func followBody(_ head: borrowing MessageHead, _ rest: UnsafePointer<UInt8>, _ count: Int) {
    var reader = BodyReader(head.status > 0 ? head.responseFraming(toHEAD: false) : head.requestFraming)
    if case .body(let taken, _) = reader.read(rest, count) { precondition(taken >= 0 && taken <= count) }
  }
}
