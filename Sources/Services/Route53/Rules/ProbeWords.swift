// What a probe's answer is called in a status report. AWS publishes few of its sentences; the others are ours.

import HealthProbe

extension ProbeAnswer {
  /// Whether the endpoint is healthy by this answer alone.
  var isSuccess: Bool {
    switch outcome {
    case .connected: true
    case .status(let status): (200..<400).contains(status)
    case .notFound, .failed: false
    }
  }

  /// - Parameter isNamed: the endpoint is given by a name, so the address is told too.
  func words(isNamed: Bool) -> String {
    let resolved = isNamed ? address.map { " Resolved IP: \($0)" } ?? "" : ""
    return "\(isSuccess ? "Success" : "Failure"): \(what)\(resolved.isEmpty ? "" : ".\(resolved)")"
  }

  private var what: String {
    switch outcome {
    case .connected: "TCP connection established"
    case .status(let status): Self.status(status)
    case .notFound(let status):
      "\(Self.status(status)). The search string was not found in the first bytes of the response body"
    case .failed(let failure): Self.failure(failure)
    }
  }

  private static func failure(_ failure: Failure) -> String {
    switch failure {
    case .unresolved: "DNS resolution failed"
    case .refused: "Connection refused"
    case .connectTimeout: "The health checker could not establish a connection within the timeout limit"
    case .unreachable(let why): "The health checker could not connect: \(why)"
    case .tls(let why): "The TLS handshake failed: \(why)"
    case .answerTimeout: "The endpoint did not respond with an HTTP status code within the timeout limit"
    case .bodyTimeout: "The endpoint did not send its response body within the timeout limit"
    case .closed: "The connection was closed before the response was complete"
    case .malformed: "The response was not in the format that HTTP/1.1 defines"
    }
  }

  private static func status(_ status: Int) -> String {
    let reasons = [
      200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found",
      303: "See Other", 304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
      401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests",
      500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
      504: "Gateway Timeout",
    ]
    return "HTTP Status Code \(status)\(reasons[status].map { ", \($0)" } ?? "")"
  }
}
