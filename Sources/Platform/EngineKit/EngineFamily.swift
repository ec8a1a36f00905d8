// What a service says of its engines, so that they can be kept in step with its records.

import Glibc
import ServiceKit
import Store
import Supervisor

/// The record of what a group of servers shall be: a database cluster, a replication group.
public protocol EngineGroupRecord: Record {
  var arn: String { get }
  /// Names the group's folder, since identifiers come again.
  var resourceID: String { get }
  /// Whether it is to be removed.
  var isGoing: Bool { get }
  /// The snapshot that is to be made before the group goes.
  var finalSnapshot: String? { get set }
}

/// The record of what was last seen of a group's servers, under the group's identifier. Kept, so that a control plane
/// that starts knows where the endpoints point before it has looked.
public protocol ObservedGroupRecord: Record, Hashable {
  associatedtype State: Sendable
  var resourceID: String { get }
  /// The group has been opened: it has a folder and is looked after.
  var isOpen: Bool { get set }
  /// Why the group cannot be looked after.
  var failure: EngineFailure? { get set }

  /// Nothing has been seen yet.
  init(group: String, resourceID: String)
  /// Takes over what the engine says.
  mutating func note(_ state: State)
  /// All servers have been stopped.
  mutating func noteStopped()
  /// Nothing has been looked at since the control plane started: what failed before may be well.
  mutating func forgetFailures()
}

/// The record of a snapshot.
public protocol GroupSnapshotRecord: Record {
  /// `creating` until the copy is whole, then `available`.
  var status: String { get set }
  /// The folder with the copy; nil when the group never had data.
  var folder: String? { get set }
}

/// A group of servers that outlives the object and the process.
public protocol EngineGroup: Sendable {
  associatedtype State: Sendable
  var state: State { get async }
  /// The state now, then each change; ends with `close` and `destroy`.
  func states() async -> AsyncStream<State>
  /// Tries servers that failed to start at once.
  func retryFailed() async
  /// Stops looking after the servers, which run on.
  func close() async
  /// Stops the servers; data is kept.
  func stop() async throws
  /// Ends the servers and removes their data.
  func destroy() async throws
}

/// The engines of one service.
public protocol EngineFamily: Sendable {
  associatedtype Group: EngineGroupRecord
  associatedtype Observed: ObservedGroupRecord
  associatedtype FinalSnapshot: GroupSnapshotRecord
  associatedtype Engine: EngineGroup where Engine.State == Observed.State
  /// What else of the store says what a group shall be: its instances, its parameters.
  associatedtype Parts: Sendable
  /// A step towards what is wanted.
  associatedtype Action: Sendable
  /// Where the events of groups and servers are kept.
  associatedtype Log: EngineEventLog

  var environment: ServiceEnvironment { get }
  var supervisor: Supervisor { get }
  /// The directory of all data; the engine's user must be able to pass it.
  var root: String { get }
  var snapshots: SnapshotFiles { get }
  /// What a group is called in the log, such as `database cluster`.
  var noun: String { get }
  /// The collections that say what is wanted.
  var watched: Set<String> { get }

  // MARK: One group

  /// Reads the parts of a group.
  func parts(of group: Group, _ scope: Scope, _ tx: Snapshot) throws -> Parts
  /// What is to be done next, none when all is as it should be.
  func actions(_ wanted: WantedGroup<Self>, _ keeper: isolated EngineKeeper<Self>) async throws -> [Action]
  /// Does a step.
  /// - Returns: false when the group is gone.
  func perform(
    _ action: Action, _ wanted: WantedGroup<Self>, _ keeper: isolated EngineKeeper<Self>
  ) async throws -> Bool
  /// Whether servers that were found running have told enough: those that run answer within moments, and one that does
  /// not run is news already.
  func isTelling(_ state: Engine.State) -> Bool
  /// Opens a group only to stop or to destroy its servers: none is started.
  func openStopped(_ wanted: WantedGroup<Self>) async throws -> Engine
  /// What an error says of the group: why it cannot be opened.
  func failure(_ error: any Error, _ wanted: WantedGroup<Self>) -> EngineFailure
  /// Owners in the address book of what a group has.
  func addressOwners(_ wanted: WantedGroup<Self>) -> [String]
  /// Deletes the records of a group's members.
  func deleteMembers(of group: String, _ scope: Scope, _ tx: Transaction) throws

  // MARK: Events

  /// What happened between two looks at a group. Pure.
  func events(_ group: EngineGroupName, from before: Observed, to now: Observed) -> [EngineEvent]
  /// What is told when a group, with what was left of its members, has gone.
  func farewell(_ group: EngineGroupName, _ wanted: WantedGroup<Self>) -> [EngineEvent]

  // MARK: Endpoints

  /// Begins with the endpoints of all groups at once.
  /// - Returns: what listens to where they are bound, until it is cancelled.
  func begin(_ groups: [(Group, Observed?)]) async -> Task<Void, Never>
  /// Sets where a group's endpoints point.
  func publish(_ group: Group, _ seen: Observed?) async
  /// Takes a group's endpoints away.
  func withdraw(_ arn: String) async
  func withdrawAll() async

  // MARK: All groups

  /// How the servers' processes are named, and how they end when their data goes with them.
  var processes: (prefix: String, signal: Int32, grace: Double) { get }
}

extension EngineFamily {
  /// Ends a group's servers without its engine.
  func endProcesses(of group: Group, signal: Int32) async {
    for record in await supervisor.records() where record.id.hasPrefix("\(processes.prefix)\(group.resourceID)/") {
      if let process = await supervisor.adopt(record.id) {
        await process.stop(signal: signal, grace: signal == SIGKILL ? 0 : 20)
      }
      supervisor.forget(record.id)
    }
  }

  public func deleteMembers(of group: String, _ scope: Scope, _ tx: Transaction) throws {}
}

/// What a group is called.
public struct EngineGroupName: Sendable, Hashable {
  public var id: String
  public var arn: String
  public var scope: Scope

  public init(id: String, arn: String, scope: Scope) {
    self.id = id
    self.arn = arn
    self.scope = scope
  }

  /// The ARN of one of its members: the group's, `arn:aws:SERVICE:REGION:ACCOUNT:TYPE:NAME`, with another end.
  public func arn(ofMember name: String, type: String) -> String {
    let parts = arn.split(separator: ":", omittingEmptySubsequences: false).prefix(5)
    return "\(parts.joined(separator: ":")):\(type):\(name)"
  }
}

/// What the store says that a group shall be.
public struct WantedGroup<Family: EngineFamily>: Sendable {
  public let group: Family.Group
  public let parts: Family.Parts
}
