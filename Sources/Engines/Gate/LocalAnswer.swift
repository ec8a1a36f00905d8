// Answers that the load balancer makes itself: errors, redirects, fixed responses.
import GateProtocol

/// An answer without a target.
struct LocalAnswer {
  var status: Int
  var contentType = "text/html"
  var location: String?
  /// Further header lines.
  var headers: [(name: String, value: String)] = []
  var body: [UInt8]

  /// An error, with the short page that Application Load Balancers send.
  init(status: Int) {
    self.status = status
    body = Self.page(status)
  }

  init(_ redirect: GateSnapshot.Redirect, location: String) {
    status = redirect.statusCode
    self.location = location
    body = Self.page(redirect.statusCode)
  }

  init(_ response: GateSnapshot.FixedResponse) {
    status = response.statusCode
    contentType = response.contentType
    body = Array(response.body.utf8)
  }

  /// Whether an answer with this status has a body at all.
  var hasBody: Bool { status >= 200 && status != 204 && status != 304 }

  private static func page(_ status: Int) -> [UInt8] {
    let title = "\(status) \(reason(status))"
    return Array(
      ("<html>\r\n<head><title>\(title)</title></head>\r\n<body>\r\n<center><h1>\(title)</h1></center>\r\n"
        + "</body>\r\n</html>\r\n").utf8)
  }

  static func reason(_ status: Int) -> String {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 410: "Gone"
    case 411: "Length Required"
    case 413: "Request Entity Too Large"
    case 414: "Request-URI Too Large"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Temporarily Unavailable"
    case 504: "Gateway Time-out"
    case 505: "HTTP Version Not Supported"
    case 507: "Insufficient Storage"
    case 561, 562: "Unauthorized"
    // 460 and its like have no name.
    default: ""
    }
  }
}

extension GateStatistics.Codes {
  /// Counts one answer.
  @inline(__always)
  mutating func count(_ status: Int) {
    switch status {
    case 200..<300: code2xx += 1
    case 300..<400: code3xx += 1
    case 400..<500: code4xx += 1
    case 500...: count5xx(status)
    default: break
    }
  }

  private mutating func count5xx(_ status: Int) {
    code5xx += 1
    switch status {
    case 500: code500 += 1
    case 502: code502 += 1
    case 503: code503 += 1
    case 504: code504 += 1
    default: break
    }
  }
}
