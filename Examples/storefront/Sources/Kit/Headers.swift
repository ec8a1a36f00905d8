// The header fields that the two programs and the load balancers between them understand.
import FoundationEssentials
import HTTPTypes

extension HTTPField.Name {
  /// The cookie's session, from frontend to backend.
  public static let session = named("X-Storefront-Session")
  /// The task that served a request, on every answer of the frontend.
  public static let frontendTask = named("X-Storefront-Frontend")
  /// The task (or tasks, with commas) of the backend that served a request.
  public static let backendTask = named("X-Storefront-Backend")
  /// The trace id that an Application Load Balancer adds.
  ///
  /// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
  public static let amazonTrace = named("X-Amzn-Trace-Id")
  /// W3C Trace Context.
  public static let traceParent = named("Traceparent")
  /// W3C Trace Context.
  public static let traceState = named("Tracestate")
  /// Which protocol the visitor used to reach the load balancer.
  public static let forwardedProto = named("X-Forwarded-Proto")
  /// Where a request comes from, as browsers say it (Fetch Metadata).
  public static let fetchSite = named("Sec-Fetch-Site")

  /// All names here are tokens, so none is refused.
  private static func named(_ name: String) -> HTTPField.Name {
    guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a field name") }
    return name
  }
}

/// The trace that a request belongs to: what came in, or a new one.
public struct Trace: Sendable {
  /// The fields to pass on to the next hop.
  public let fields: HTTPFields
  /// The id that log lines carry: the trace's root.
  public let id: String

  /// The trace of a request; one begins here when no load balancer in front has begun it.
  public init(of headers: HTTPFields, at time: Date) {
    var fields = HTTPFields()
    for name in [HTTPField.Name.amazonTrace, .traceParent, .traceState] {
      if let value = headers[name] { fields[name] = value }
    }
    if fields[.amazonTrace] == nil { fields[.amazonTrace] = "Root=\(Trace.newRoot(at: time))" }
    self.fields = fields
    id = Trace.root(of: fields[.amazonTrace] ?? "")
  }

  /// The root part of `Root=1-…;Parent=…`, or the whole value when it has none.
  static func root(of value: String) -> String {
    for part in value.split(separator: ";") {
      let trimmed = part.drop { $0 == " " }
      if trimmed.hasPrefix("Root=") { return String(trimmed.dropFirst(5)) }
    }
    return value
  }

  /// `1-`, the time in eight hexadecimal digits, `-`, and 96 random bits.
  private static func newRoot(at time: Date) -> String {
    let seconds = UInt32(clamping: Int64(time.timeIntervalSince1970))
    return "1-\(hex(UInt64(seconds), digits: 8))-"
      + hex(UInt64(UInt32.random(in: .min ... .max)), digits: 8) + hex(UInt64.random(in: .min ... .max), digits: 16)
  }

  private static func hex(_ number: UInt64, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
  }
}
