// A full loop steps aside: it leaves new connections to loops with room in their descriptor tables. Which loop the kernel
// wakes for a connection says nothing about how full it is; it is mostly the same one while there is little to do.
import CLinux
import GateProtocol
import Glibc

extension EventLoop {
  /// Whether a new connection is left to another loop. When all are full each makes room for itself.
  @inline(__always)
  func leavesToOthers() -> Bool { openCount >= bounds.openMax && stepAside() }

  /// No descriptor left here: false when none of the others has any.
  func stepAside() -> Bool {
    if isAside { return true }
    isFull = true
    room.set(index, isFull: true)
    guard room.isElsewhere(than: index) else { return false }
    isAside = true
    for (descriptor, _) in streamListeners { _ = gate_epoll_remove(poll, descriptor) }
    // The kernel woke only us for the connection that waits.
    control.post(.steppedAside(loop: index))
    return true
  }

  /// Asked by a full loop when it has lost a connection.
  func checkRoom() {
    // Not with every connection that ends.
    guard openCount < bounds.openMax - bounds.openMax / 16 else { return }
    isFull = false
    room.set(index, isFull: false)
    comeBack()
  }

  /// Asked with every look: where there is no room anywhere all loops accept again, and make room.
  func checkRoomElsewhere() { if isAside, !room.isElsewhere(than: index) { comeBack() } }

  func comeBack() {
    guard isAside else { return }
    isAside = false
    listenAnew()
  }

  /// Looks at all listeners for connections that wait.
  func listenAnew() {
    if isDraining || isAside { return }
    for (descriptor, kind) in streamListeners {
      _ = gate_epoll_remove(poll, descriptor)
      listen(descriptor, kind)
    }
  }
}
