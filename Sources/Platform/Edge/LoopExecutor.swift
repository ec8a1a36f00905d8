// Runs a connection's tasks on the connection's own event loop.

import NIOCore

/// A task executor over one event loop.
///
/// A request then goes from socket to handler and back without changing threads: a change costs more CPU time than most
/// of our operations. What may block or compute for long leaves the loop by itself, as it must leave Swift's own pool.
final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop

  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}

/// The executors of a group's loops.
struct LoopExecutors: Sendable {
  private let executors: [ObjectIdentifier: LoopExecutor]

  init(_ group: any EventLoopGroup) {
    var executors: [ObjectIdentifier: LoopExecutor] = [:]
    for loop in group.makeIterator() { executors[ObjectIdentifier(loop)] = LoopExecutor(loop) }
    self.executors = executors
  }

  subscript(_ channel: any Channel) -> LoopExecutor? { executors[ObjectIdentifier(channel.eventLoop)] }
}
