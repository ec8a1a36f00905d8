// One line of a health check log, in Application Load Balancer's format.
import GateProtocol

/// What came of one probe of a target.
/// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-health-check-logs.html
struct HealthLogLine {
  /// Why a probe failed, in the words of these logs.
  enum Reason: String {
    case connectionTimedOut = "ConnectionTimedOut"
    case requestTimedOut = "RequestTimedOut"
    /// No connection, or one that ended without an answer.
    case connectionReset = "ConnectionReset"
    case responseCodeMismatch = "ResponseCodeMismatch"
    case grpcStatusHeaderEmpty = "GRPCStatusHeaderEmpty"
    case grpcUnexpectedStatus = "GRPCUnexpectedStatus"
    /// What came is no answer.
    case targetError = "TargetError"
    case internalError = "InternalError"
  }

  var probe: GateSnapshot.HealthCheck.Probe
  /// When it began, in microseconds since 1970.
  var time: UInt64
  /// Microseconds.
  var latency: UInt64
  var target: SocketAddress
  /// The target group's name.
  var group: String
  /// What the target answered; nil for nothing.
  var status: Int?
  /// nil when it passed.
  var reason: Reason?

  init(
    probe: GateSnapshot.HealthCheck.Probe, time: UInt64, latency: UInt64, target: SocketAddress, group: String
  ) {
    self.probe = probe
    self.time = time
    self.latency = latency
    self.target = target
    self.group = group
  }

  private var type: String {
    switch probe {
    case .http2, .http2s: "h2"
    case .grpc, .grpcs: "grpc"
    case .http, .https, .tcp, .none: probe.rawValue
    }
  }

  func append(to out: inout Bytes) {
    out.append(text: type)
    out.append(byte: 0x20)
    AccessLogLine.append(time: time, to: &out)
    out.append(byte: 0x20)
    out.append(decimal: latency / 1_000_000)
    out.append(byte: 0x2E)
    out.append(decimal: latency % 1_000_000 * 1000, digits: 9)
    out.append(byte: 0x20)
    out.append(address: target.address, port: target.port)
    out.append(byte: 0x20)
    out.append(text: group)
    out.append(text: reason == nil ? " PASS " : " FAIL ")
    if let status { out.append(signed: status) } else { out.append("-") }
    out.append(byte: 0x20)
    if let reason { out.append(text: reason.rawValue) } else { out.append("-") }
    out.append("\n")
  }
}
