// A ClientHello as anybody may send it, and the fingerprints that are made of it.
import WebACL

enum HelloChecks {
  static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let found = ClientFingerprints(hello: bytes) else { return }
    precondition(found.ja3.utf8.count == 32 && found.ja4.utf8.count == 36, "a fingerprint of another length")
    precondition(found.ja3.utf8.allSatisfy { $0 < 0x80 } && found.ja4.utf8.allSatisfy { $0 < 0x80 }, "not plain text")
  }
}
