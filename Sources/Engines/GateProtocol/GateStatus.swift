// What the Gate says of itself: what it applied, where it listens, how the targets are.

/// What is applied and where the Gate really listens.
public struct GateStatus: Codable, Sendable, Equatable {
  /// The version of the applied snapshot; 0 before the first.
  public var appliedVersion: UInt64
  public var listeners: [Binding]
  public var endpoints: [Binding]
  /// Process id of the worker that answers.
  public var workerProcessID: Int32
  /// Seconds since 1970 when that worker started; counters begin there.
  public var workerStartedAt: Double

  public init(
    appliedVersion: UInt64, listeners: [Binding], endpoints: [Binding], workerProcessID: Int32, workerStartedAt: Double
  ) {
    self.appliedVersion = appliedVersion
    self.listeners = listeners
    self.endpoints = endpoints
    self.workerProcessID = workerProcessID
    self.workerStartedAt = workerStartedAt
  }

  /// The outcome of binding one listener or endpoint.
  public struct Binding: Codable, Sendable, Equatable {
    /// The id of the listener or endpoint.
    public var id: String
    /// The address and port really bound, which may differ from the wanted ones; nil when `error` says why not.
    public var address: String?
    public var port: UInt16?
    /// Why the wanted address or port was not bound (also set when a fallback was), or why nothing was.
    public var error: String?

    public init(id: String, address: String?, port: UInt16?, error: String?) {
      self.id = id
      self.address = address
      self.port = port
      self.error = error
    }
  }

  /// Where the listener with this id is bound, if it is.
  public func listener(_ id: String) -> Binding? { listeners.first { $0.id == id } }
  /// Where the endpoint with this id is bound, if it is.
  public func endpoint(_ id: String) -> Binding? { endpoints.first { $0.id == id } }
}

/// The health of one target in one target group, in ELBv2's words (`DescribeTargetHealth`).
public struct GateTargetHealth: Codable, Sendable, Equatable {
  public enum State: String, Codable, Sendable {
    case initial, healthy, unhealthy, unused, draining
    /// Unhealthy, but its connections have their time to end (`FlowAttributes.unhealthyDraining`).
    case unhealthyDraining = "unhealthy.draining"
  }

  /// What a zonal shift does to a target (ELBv2 `AdministrativeOverride`).
  public enum Override: String, Codable, Sendable {
    /// It gets nothing new.
    case zonalShiftActive = "zonal_shift_active"
    /// It gets what its zone's node gets, but nothing new comes in through that node.
    case zonalShiftDelegatedToDNS = "zonal_shift_delegated_to_dns"
  }

  public enum Reason: String, Codable, Sendable {
    case registrationInProgress = "Elb.RegistrationInProgress"
    case initialHealthChecking = "Elb.InitialHealthChecking"
    case internalError = "Elb.InternalError"
    case responseCodeMismatch = "Target.ResponseCodeMismatch"
    case timeout = "Target.Timeout"
    case failedHealthChecks = "Target.FailedHealthChecks"
    case notRegistered = "Target.NotRegistered"
    case notInUse = "Target.NotInUse"
    case deregistrationInProgress = "Target.DeregistrationInProgress"
  }

  public var targetGroup: String
  public var address: String
  public var port: UInt16
  /// `.unused` with `.notRegistered` says that a draining target has drained: the control plane may now remove it.
  public var state: State
  /// nil for healthy targets.
  public var reason: Reason?
  /// ELBv2's description of the reason.
  public var description: String?
  /// nil for none.
  public var override: Override?

  public init(
    targetGroup: String, address: String, port: UInt16, state: State, reason: Reason? = nil, description: String? = nil,
    override: Override? = nil
  ) {
    self.override = override
    self.targetGroup = targetGroup
    self.address = address
    self.port = port
    self.state = state
    self.reason = reason
    self.description = description
  }
}
