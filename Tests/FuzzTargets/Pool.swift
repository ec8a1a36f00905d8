// Costly things that one thread at a time may use.
import Synchronization

/// Elements that wait for their next use.
final class Pool<Element>: Sendable {
  // Whoever takes an element is the only one that has it until it gives it back; the lock guards the list.
  private struct Box: @unchecked Sendable { let element: Element }
  private let free = Mutex<[Box]>([])
  private let make: @Sendable () -> Element

  init(make: @escaping @Sendable () -> Element) { self.make = make }

  func take() -> Element { free.withLock { $0.popLast() }?.element ?? make() }

  func give(_ element: Element) {
    let box = Box(element: element)
    free.withLock { $0.append(box) }
  }
}
