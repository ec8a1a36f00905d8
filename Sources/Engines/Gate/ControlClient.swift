// One connection of a control plane to the worker.
import CLinux
import GateProtocol
import Glibc

/// Frames in, frames out. A client that does not read is dropped, so it cannot hold the Gate's memory.
final class ControlClient {
  private static let waitingMax = 128 << 20

  let descriptor: Int32
  let id: UInt64
  var isSubscribed = false
  private(set) var isClosed = false
  private var decoder = GateFrame.Decoder()
  private var out = Bytes()

  init(descriptor: Int32, id: UInt64) {
    self.descriptor = descriptor
    self.id = id
  }

  /// Reads all there is and returns the bodies of whole frames.
  func read() -> [[UInt8]] {
    var bodies: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while !isClosed {
      let count = gate_recv(descriptor, &buffer, buffer.count)
      if count == -Int(EAGAIN) { break }
      if count <= 0 {
        close()
        break
      }
      buffer.withUnsafeBytes { decoder.append(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
      do {
        while let body = try decoder.next() { bodies.append(body) }
      } catch {
        GateLog.error("a control client does not keep to the protocol", [("reason", "\(error)")])
        close()
      }
    }
    return bodies
  }

  func send(_ message: GateMessage) {
    do {
      send(frame: try GateFrame.encode(message))
    } catch {
      GateLog.error("a reply cannot be encoded", [("reason", "\(error)")])
    }
  }

  func send(frame: [UInt8]) {
    guard !isClosed else { return }
    if out.count + frame.count > Self.waitingMax { return close() }
    out.append(frame)
    flush()
  }

  func flush() {
    while !out.isEmpty, !isClosed {
      let sent = gate_send(descriptor, out.first, out.count)
      if sent == -Int(EAGAIN) { return }
      if sent < 0 { return close() }
      out.consume(sent)
    }
    out.release(keeping: 4 << 10)
  }

  func close() {
    if isClosed { return }
    isClosed = true
    Glibc.close(descriptor)
  }
}
