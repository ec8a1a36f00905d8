// Every loop has a descriptor table of its own: what is in it, how listening sockets come into it, and what happens when
// the system gives no table or one is full.
import CLinux
import GateProtocol
import Glibc
import Synchronization
import Testing

@testable import GateCore

@Suite("Descriptor tables of loops", .timeLimit(.minutes(2)))
struct DescriptorTableTests {
  private static func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

  private func listeningSocket(_ id: UInt64) throws -> BoundSocket {
    var port: UInt16 = 0
    let descriptor = gate_listen(0x7F00_0001, 0, &port)
    guard descriptor >= 0 else { throw TestFailure("listen") }
    return BoundSocket(id: id, descriptor: descriptor, address: 0x7F00_0001, port: port)
  }

  private func isListening(_ socket: BoundSocket) -> Bool { (try? RawSocket(port: socket.port)) != nil }

  @Test("a table of a thread's own has what was kept, and closing there closes nothing elsewhere")
  func ownTable() async throws {
    let ends = try #require(UnixPair())
    let seen = try await onThread {
      let kept = [0, 1, 2, ends.first].sorted()
      let result = gate_own_descriptors(kept, kept.count)
      let state = [Self.isOpen(ends.first), Self.isOpen(ends.second)]
      close(ends.first)
      return (result, state)
    }
    #expect(seen.0 == 0)
    #expect(seen.1 == [true, false])
    #expect(Self.isOpen(ends.first) && Self.isOpen(ends.second))
    ends.close()
  }

  @Test("a loop gets each listening socket once, and lets go of those that a later snapshot does without")
  func link() throws {
    let link = try LoopLink()
    var sockets = LoopSockets(link: link.far)
    link.leaveFarToLoop(closing: false)
    let first = try listeningSocket(1)
    let second = try listeningSocket(2)
    link.give([first])
    // A snapshot is on its way while the next one's sockets are there already.
    link.give([first, second])
    let own = try #require(sockets.own(["a": first])["a"])
    #expect(own.descriptor != first.descriptor && own.port == first.port)
    sockets.closeUnused()
    let both = sockets.own(["a": first, "b": second])
    #expect(both["a"]?.descriptor == own.descriptor && both.count == 2)
    sockets.closeUnused()
    close(first.descriptor)
    close(second.descriptor)
    #expect(isListening(first) && isListening(second))
    #expect(sockets.own(["b": second]).count == 1)
    sockets.closeUnused()
    #expect(!isListening(first) && isListening(second))
    #expect(sockets.own(["never": BoundSocket(id: 9, descriptor: 1, address: 0, port: 0)]).isEmpty)
  }

  @Test("a loop that has ended takes nothing, and a loop whose link has ended goes on")
  func ends() throws {
    let link = try LoopLink()
    let socket = try listeningSocket(1)
    do {
      _ = LoopSockets(link: link.far)
      link.leaveFarToLoop(closing: false)
    }
    link.give([socket])
    var other: LoopLink? = try LoopLink()
    var sockets = LoopSockets(link: try #require(other).far)
    other?.leaveFarToLoop(closing: false)
    other?.give([socket])
    other = nil
    let isOpen = sockets.receive()
    #expect(!isOpen)
    #expect(sockets.own(["a": socket]).count == 1)
    close(socket.descriptor)
  }

  @Test("there is room elsewhere until all the others are full")
  func room() {
    for loops in [1, 2, 3, 64] {
      let room = LoopRoom(loops: loops)
      #expect(room.isElsewhere(than: 0) == (loops > 1))
      for loop in 1..<max(loops, 1) { room.set(loop, isFull: true) }
      #expect(!room.isElsewhere(than: 0))
      if loops > 1 {
        #expect(room.isElsewhere(than: 1))
        room.set(loops - 1, isFull: false)
        #expect(room.isElsewhere(than: 0))
      }
    }
  }

  @Test("loops that share the process's table serve, and follow snapshots, in the same way")
  func shared() async throws {
    let server = try TestServer { _ in ok("served") }
    try await GateFixture.with(sharesDescriptors: true) { gate in
      let port = try await gate.serve(1, targets: [target(server)])
      for _ in 0..<20 { #expect(try await get(port).text == "served") }
      let again = try await gate.serve(2, targets: [target(server)])
      #expect(again == port)
      for _ in 0..<20 { #expect(try await get(port).text == "served") }
    }
  }

  @Test("hundreds of listeners in one snapshot are listened on, and gone with the next")
  func manyListeners() async throws {
    let fixed = GateSnapshot.Action.fixedResponse(.init(statusCode: 200, body: "here"))
    try await GateFixture.with { gate in
      let listeners = (0..<300).map { GateSnapshot.Listener(id: "l\($0)", port: 0, defaultAction: fixed) }
      func snapshot(_ version: UInt64, _ listeners: [GateSnapshot.Listener]) -> GateSnapshot {
        GateSnapshot(version: version, loadBalancers: [.init(id: "lb", address: "127.0.0.1", listeners: listeners)])
      }
      let status = try await gate.client.apply(snapshot(1, listeners))
      #expect(status.listeners.count == 300)
      for number in stride(from: 0, to: 300, by: 23) {
        let port = try #require(status.listener("l\(number)")?.port)
        #expect(try await get(port).text == "here")
      }
      let after = try await gate.client.apply(snapshot(2, Array(listeners.prefix(1))))
      #expect(after.listeners.count == 1)
      let kept = try #require(after.listener("l0")?.port)
      #expect(kept == status.listener("l0")?.port)
      #expect(try await get(kept).text == "here")
      let gone = try #require(status.listener("l299")?.port)
      await #expect(throws: (any Error).self) { try await get(gone) }
    }
  }
}

/// Two connected sockets.
private struct UnixPair: Sendable {
  let first: Int32
  let second: Int32

  init?() {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { return nil }
    first = ends[0]
    second = ends[1]
  }

  func close() {
    Glibc.close(first)
    Glibc.close(second)
  }
}
