// What a service is given when it is made: everything that is not its own.

import AWSCore
import AWSWire
import Glibc
import Logging
import Store
import Synchronization

/// The world that a service lives in. One for the whole castle.
public final class ServiceEnvironment: Sendable {
  public let store: Store
  public let clock: any CastleClock
  public let ids: any IdentifierSource
  public let logger: Logger
  /// The castle's folder; each service keeps its files in a folder of its own below it.
  public let directory: String
  /// The owner's account.
  public let account: String
  /// The region of `castle up` and of reconcilers that need one.
  public let region: String
  /// The endpoint of the AWS APIs as tasks are told it, such as `http://127.0.0.1:4566`.
  public var endpoint: String { late.withLock { $0.endpoint } }
  public let addresses: AddressBook

  private struct Late: Sendable {
    var endpoint = "http://127.0.0.1:4566"
    var invoker: (any Invoker)?
  }
  private let late = Mutex(Late())

  public init(
    store: Store, clock: any CastleClock, ids: any IdentifierSource, logger: Logger, directory: String,
    account: String, region: String
  ) {
    self.store = store
    self.clock = clock
    self.ids = ids
    self.logger = logger
    self.directory = directory
    self.account = account
    self.region = region
    self.addresses = AddressBook(store: store, ids: ids)
  }

  /// The way to all services. Set once by the composition root, before anything is called.
  public var invoker: any Invoker {
    guard let invoker = late.withLock({ $0.invoker }) else {
      preconditionFailure("the composition root has not connected the services yet")
    }
    return invoker
  }

  public func connect(invoker: any Invoker) { late.withLock { $0.invoker = invoker } }
  public func setEndpoint(_ endpoint: String) { late.withLock { $0.endpoint = endpoint } }

  /// A call that a reconciler makes for its service.
  public func call(as service: String, account: String? = nil, region: String? = nil) -> CallContext {
    let account = account ?? self.account
    return CallContext(
      principal: .service(service, account: account), account: account, region: region ?? self.region,
      requestID: ids.uuid(), environment: self)
  }
}

/// The machine's clock.
public struct SystemClock: CastleClock {
  public init() {}
  public var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }
  public func sleep(until deadline: Timestamp) async throws {
    let wait = deadline.milliseconds - now.milliseconds
    if wait > 0 { try await Task.sleep(for: .milliseconds(wait)) } else { try Task.checkCancellation() }
  }
}
