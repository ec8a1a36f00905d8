// The shield's looks at a network load balancer's connections: what passed over them, and who says nothing.
import CLinux
import Glibc

extension FlowConnection {
  /// Tells the source's entry of what passed since the last look.
  func countTraffic() {
    let sources = listener.balancer.sources
    guard slot >= 0, traffic != countedTraffic else { return }
    sources.countBytes(slot, receivedBytes &- countedBytes)
    sources.countFlow(slot, now: loop.now)
    countedBytes = receivedBytes
    countedTraffic = traffic
  }

  /// One look: counts, and closes when it must. True when bytes pass, or the client keeps the loop waiting. What is said
  /// in a flow is nobody's business; one in which nobody says anything, though its target is there, may be one of many.
  func look(now: UInt64) -> Bool {
    guard slot >= 0 else { return false }
    if traffic != countedTraffic {
      countTraffic()
      return true
    }
    guard traffic == 0, let other = peer as? FlowConnection, !other.isConnecting else { return false }
    if origin?.mustGo(silentFor: now &- began, now: now) ?? false { cutOff() }
    return true
  }
}
