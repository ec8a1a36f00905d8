// How MD5 and SHA-2 cut a message into blocks of 64 bytes: the message, a bit, zeros, and its length in bits.

/// The message with what the algorithms put behind it.
/// - Parameter bigEndian: how the length is written: SHA-2 begins with its highest byte, MD5 with its lowest.
func padded(_ text: UnsafeBufferPointer<UInt8>, bigEndian: Bool) -> [UInt8] {
  let zeros = (119 - text.count % 64) % 64
  var message: [UInt8] = []
  message.reserveCapacity(text.count + zeros + 9)
  message += text
  message.append(0x80)
  message += repeatElement(0, count: zeros)
  let bits = UInt64(text.count) * 8
  withUnsafeBytes(of: bigEndian ? bits.bigEndian : bits.littleEndian) { message += $0 }
  return message
}
