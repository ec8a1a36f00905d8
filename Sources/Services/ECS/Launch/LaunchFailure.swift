// Why a task could not be started, in the words of its stoppedReason.

/// A task cannot be started.
struct LaunchFailure: Error, Hashable, CustomStringConvertible {
  /// `CannotStartContainerError: …`, as DescribeTasks tells it.
  var reason: String
  /// The container that it is about.
  var container: String?

  init(_ kind: Kind, _ message: String, container: String? = nil) {
    reason = "\(kind.rawValue): \(message)"
    self.container = container
  }

  enum Kind: String {
    case resource = "ResourceInitializationError"
    case pull = "CannotPullContainerError"
    case start = "CannotStartContainerError"
  }
  var description: String { reason }
}
