// A loop's thread: it leaves the process's descriptor table for one of its own, makes its loop and runs it.
import CLinux
import Glibc

/// The control thread's hold on a loop.
final class LoopThread {
  let mailbox: Mailbox<LoopMessage>
  let link: LoopLink
  private let thread: pthread_t

  /// Starts the thread. Only the control thread does this, and only it and its like start other threads: a thread shares
  /// the table of the one that starts it.
  init(_ start: LoopStart, link: LoopLink) throws(GateFailure) {
    mailbox = start.mailbox
    self.link = link
    let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
      if let raw { Unmanaged<LoopStart>.fromOpaque(raw).takeRetainedValue().run() }
      return nil
    }
    var thread = pthread_t()
    let own = Unmanaged.passRetained(start)
    let result = pthread_create(&thread, nil, body, own.toOpaque())
    if result != 0 {
      own.release()
      throw GateFailure("a thread", code: result)
    }
    self.thread = thread
  }

  /// Waits for the end of the thread, and with it of what it holds.
  func join() { pthread_join(thread, nil) }
}

/// What a loop's thread needs to make its loop.
final class LoopStart: Sendable {
  let index: Int
  let control: Mailbox<ControlMessage>
  let mailbox: Mailbox<LoopMessage>
  let logs: LogWriter
  /// The loop's end of its `LoopLink`.
  let link: Int32
  let room: LoopRoom
  let handshakeTime: UInt64
  let sharesDescriptors: Bool

  init(
    index: Int, control: Mailbox<ControlMessage>, mailbox: Mailbox<LoopMessage>, logs: LogWriter, link: Int32,
    room: LoopRoom, handshakeTime: UInt64, sharesDescriptors: Bool
  ) {
    self.index = index
    self.control = control
    self.mailbox = mailbox
    self.logs = logs
    self.link = link
    self.room = room
    self.handshakeTime = handshakeTime
    self.sharesDescriptors = sharesDescriptors
  }

  func run() {
    let ownsDescriptors = !sharesDescriptors && leaveTable()
    control.post(.started(loop: index, ownsDescriptors: ownsDescriptors))
    do {
      let loop = try EventLoop(
        index: index, control: control, mailbox: mailbox, logs: logs, sockets: LoopSockets(link: link), room: room,
        ownsDescriptors: ownsDescriptors)
      loop.handshakeTime = handshakeTime
      loop.run()
    } catch {
      control.post(.failed(loop: index, "\(error)"))
    }
  }

  /// Takes along what a loop uses of the process: where it writes complaints, and the ways to the other threads.
  private func leaveTable() -> Bool {
    let kept = [0, 1, 2, control.descriptor, mailbox.descriptor, logs.descriptor, link].sorted()
    let result = gate_own_descriptors(kept, kept.count)
    if result < 0 {
      GateLog.info("loops share the process's descriptors", [("reason", String(cString: strerror(-result)))])
    }
    return result == 0
  }
}
