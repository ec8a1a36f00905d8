// Whether the clients of a listener stay: to take the keys out of OpenSSL costs a twentieth of a handshake, and is repaid by
// the second request, or by waiting for it.

/// Used by the loop that has the listener's context, and by nobody else.
final class TLSClientHabits {
  /// Of the last handshakes, older ones counting half and half again.
  private var handshakes = 0
  /// How many of their connections ended with their first request.
  private var visits = 0

  /// Most of those who came lately are still there, or said more than one thing.
  var stay: Bool { visits * 4 <= handshakes * 3 }

  /// Somebody begins a handshake.
  func came() {
    handshakes += 1
    if handshakes < 256 { return }
    handshakes /= 2
    visits /= 2
  }

  /// A connection whose handshake was complete has ended.
  func left(after reads: Int) {
    if reads <= 1 { visits = min(visits + 1, handshakes) }
  }
}
