// Answers that the load balancer makes itself: errors, redirects, fixed responses.
import GateProtocol
import HTTPWire

/// An answer without a target.
struct LocalAnswer {
  var status: Int
  var contentType = "text/html"
  var location: String?
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
    default: "Status"
    }
  }
}

extension ClientConnection {
  /// Answers a request whose body is not wanted. When the whole body has come it is skipped and the connection goes
  /// on; otherwise it ends. Returns how many of the bytes were the body's.
  func answerAndSkipBody(_ local: LocalAnswer, _ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    var used = 0
    if !request.body.isDone, count > 0 {
      if case .body(let taken, _) = request.body.read(bytes, count) { used = taken }
    }
    answer(local, closing: !request.body.isDone)
    return used
  }

  /// Sends an answer of the load balancer's own.
  func answer(_ local: LocalAnswer, closing: Bool) {
    if closing { request.keepsAlive = false }
    count(local.status)
    let isLast = isLastAnswer
    loop.scratch.clear()
    loop.scratch.append("HTTP/1.1 ")
    loop.scratch.append(decimal: UInt64(local.status))
    loop.scratch.append(byte: 0x20)
    loop.scratch.append(text: LocalAnswer.reason(local.status))
    loop.scratch.append("\r\nServer: awselb/2.0\r\nDate: ")
    loop.scratch.append(loop.dateLine())
    let hasBody = local.status >= 200 && local.status != 204 && local.status != 304
    if hasBody {
      if !local.body.isEmpty || local.contentType != "text/html" {
        loop.scratch.append("\r\nContent-Type: ")
        loop.scratch.append(text: local.contentType)
      }
      loop.scratch.append("\r\nContent-Length: ")
      loop.scratch.append(decimal: UInt64(local.body.count))
    }
    if let location = local.location {
      loop.scratch.append("\r\nLocation: ")
      loop.scratch.append(text: location)
    }
    loop.scratch.append("\r\nConnection: ")
    if isLast { loop.scratch.append("close\r\n\r\n") } else { loop.scratch.append("keep-alive\r\n\r\n") }
    if hasBody && !request.isHEAD { loop.scratch.append(local.body) }
    balancer.statistics.responseBytes += UInt64(loop.scratch.count)
    request.keepsAlive = !isLast
    if !write(loop.scratch.first, loop.scratch.count) { return close() }
    finishRequest()
  }

  private func count(_ status: Int) {
    balancer.statistics.elb.count(status)
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
    case 500...: code5xx += 1
    default: break
    }
  }
}
