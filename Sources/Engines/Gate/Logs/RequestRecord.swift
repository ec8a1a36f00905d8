// What is remembered of a request for its line in the access log. One object serves a connection's requests one after
// another; there is none while the load balancer writes no access log.

final class RequestRecord {
  /// `GET`, `/path?query` as it came, `HTTP/1.1`; empty for a request that could not be read.
  var method: [UInt8] = []
  var target: [UInt8] = []
  var version: StaticString = "HTTP/1.1"
  /// Without the port.
  var host: [UInt8] = []
  var userAgent: [UInt8] = []
  var traceID: [UInt8] = []
  /// Microseconds since 1970.
  var createdAt: UInt64 = 0
  /// Microseconds on the loop's clock: when the request had come, went to the target, when the target began to answer.
  var receivedAt: UInt64 = 0
  var sentAt: UInt64 = 0
  var answeredAt: UInt64 = 0
  var receivedBytes: UInt64 = 0
  var sentBytes: UInt64 = 0
  var targetGroup = ""
  var targetAddress: SocketAddress?
  var targetStatus = 0
  /// nil when no rule was looked for.
  var rulePriority: Int?
  var actions = ""
  var redirectURL = ""
  var errorReason = ""
  var classification: StaticString = "-"
  var classificationReason = ""
  var transformedHost: [UInt8] = []
  var transformedURI: [UInt8] = []
  var transformStatus = ""
  /// A line is owed.
  var isOpen = false

  /// Begins with nothing known.
  func begin(createdAt: UInt64, receivedAt: UInt64) {
    method.removeAll(keepingCapacity: true)
    target.removeAll(keepingCapacity: true)
    host.removeAll(keepingCapacity: true)
    userAgent.removeAll(keepingCapacity: true)
    traceID.removeAll(keepingCapacity: true)
    version = "HTTP/1.1"
    self.createdAt = createdAt
    self.receivedAt = receivedAt
    sentAt = 0
    answeredAt = 0
    receivedBytes = 0
    sentBytes = 0
    targetGroup = ""
    targetAddress = nil
    targetStatus = 0
    rulePriority = nil
    actions = ""
    redirectURL = ""
    errorReason = ""
    classification = "-"
    classificationReason = ""
    transformedHost.removeAll(keepingCapacity: true)
    transformedURI.removeAll(keepingCapacity: true)
    transformStatus = ""
    isOpen = true
  }

  func add(action: String) { actions = actions.isEmpty ? action : actions + "," + action }
}

/// What a connection is, for the lines about it and its requests.
struct ConnectionFacts {
  /// `http`, `https`, `h2`, `grpcs`, `ws`, `wss`.
  var type: StaticString = "http"
  var scheme: StaticString = "http"
  var clientAddress: UInt32 = 0
  var clientPort: UInt16 = 0
  var listenerAddress: UInt32 = 0
  var listenerPort: UInt16 = 0
  var tlsProtocol = "-"
  var tlsCipher = "-"
  /// The server name that the client asked for, when it chose the certificate.
  var domainName = "-"
  var certificate = "-"
  /// 128 random bits that the access log and the connection log share.
  var traceID: (UInt64, UInt64) = (0, 0)
}
