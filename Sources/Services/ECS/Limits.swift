// ECS's limits and times, with AWS's quota where there is one.

/// Named numbers. Times in seconds.
enum Limits {
  /// Events that DescribeServices tells of a service (AWS: the latest 100).
  static let events = 100
  /// Tasks of one RunTask call (AWS: 10).
  static let tasksPerRun = 10
  /// Names in one Describe call (AWS: 10 services, 100 clusters, 100 tasks).
  static let describedServices = 10
  static let describedMany = 100
  /// Entries of a page (AWS: 100; ListServices: 10 unless asked for more).
  static let page = 100
  static let servicePage = 10
  /// Container definitions of a task definition (AWS: 10).
  static let containers = 10
  /// Tags of a resource (AWS: 50).
  static let tags = 50
  /// Tasks of a service (AWS: 5,000); one machine holds fewer.
  static let desiredCount = 5_000

  /// How long a stopped task is told of, with its log files (AWS: one hour).
  static let stoppedTaskLife = 3600.0
  /// How long an INACTIVE service or cluster is told of.
  static let inactiveLife = 86_400.0
  /// Without load balancers a task is taken for healthy when it has run for so long: what cannot start ends sooner.
  static let settle = 1.0
  /// A task that ends by itself sooner than this has not done its work: ends like that slow the restarts down.
  static let quickEnd = 30.0
  /// So many quick ends in a row are replaced at once, or twice the desired count if that is more.
  static let freeRestarts = 5
  /// The longest pause between restarts (AWS: 27 minutes).
  static let restartPauseMax = 60.0
  /// Quick ends longer ago than this are forgiven.
  static let restartMemory = 300.0
  /// Circuit breaker: half of the desired count, within these (AWS).
  static let breakerMin = 3
  static let breakerMax = 200
  /// SIGTERM to SIGKILL where the definition gives no stopTimeout (AWS: 30).
  static let stopTimeout = 30.0
  /// How long a target may drain when its group does not say (AWS: 300).
  static let deregistrationDelay = 300.0
  /// How often target health is asked for while something is expected of it, and when all is well.
  static let healthInterval = 0.2
  static let healthIntervalQuiet = 1.0
  /// How long a stack waits for a service (AWS: 3 hours).
  static let stackWait = 1200.0
  /// Credentials are renewed so long before they run out.
  static let credentialsMargin = 300.0
  static let credentialsLife = 3600

  /// Log lines: gathered for so long, sent in batches of so much at most (AWS: 1 MiB and 10,000 events, each counted
  /// with 26 bytes more). A longer line is sent in pieces.
  static let logGather = 0.05
  static let logBatchBytes = 900_000
  static let logBatchEvents = 5_000
  static let logLineBytes = 200_000
  /// A shipped part of a log file of at least so many bytes is given back to the disk; so much is kept to look at.
  static let logPunch: Int64 = 16 << 20
  static let logKeep: Int64 = 1 << 20
}
