// A service alone, or a few, without sockets: for tests of operations.

import AWSCore
import AWSWire
import Foundation
import Logging
import ServiceKit
import Store

/// Services over a store in a folder of its own, called in process. `remove()` takes the folder away.
public struct ServiceHarness: Sendable {
  public let environment: ServiceEnvironment
  public let dispatcher: Dispatcher
  public let clock: any CastleClock
  public let directory: String

  /// - Parameters:
  ///   - directory: the folder of a harness that was closed, to go on over its state; nil makes a fresh one.
  ///   - collections: those of the services.
  ///   - make: makes the services, given their environment.
  public init(
    clock: any CastleClock = ManualClock(), directory: String? = nil, collections: [any Record.Type],
    authority: any Authority = OpenAuthority(), _ make: (ServiceEnvironment) throws -> [any AWSService]
  ) throws {
    let folder = directory ?? NSTemporaryDirectory() + "castle-\(SystemIdentifiers().hex(12))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    self.directory = folder
    var logger = Logger(label: "test")
    logger.logLevel = .error
    let store = try Store(directory: folder, collections: collections + AddressBook.collections)
    self.clock = clock
    environment = ServiceEnvironment(
      store: store, clock: clock, ids: SystemIdentifiers(), logger: logger, directory: folder,
      account: "000000000000", region: "us-east-1")
    dispatcher = Dispatcher(services: try make(environment), authority: authority)
    environment.connect(invoker: dispatcher)
  }

  /// A call by the owner of an account.
  public func call(account: String = "000000000000", region: String = "us-east-1") -> CallContext {
    CallContext(
      principal: .root(account: account), account: account, region: region, requestID: environment.ids.uuid(),
      environment: environment)
  }

  /// Runs an operation as the account's owner.
  public func run<I, O>(_ operation: APIOperation<I, O>, _ configure: (inout I) -> Void = { _ in }) async throws -> O {
    var input = I()
    configure(&input)
    return try await dispatcher.invoke(operation, input, call())
  }

  /// Closes the store, as the end of a control plane does; the folder stays.
  public func close() async throws { try await environment.store.close() }

  public func remove() { try? FileManager.default.removeItem(atPath: directory) }
}
