// A request target taken apart (RFC 9112, section 3.2), and the Location of a redirect made from it.
import GateProtocol
import HTTPWire

/// Where host, path and query are in a request's bytes.
struct TargetParts {
  var host = Slice(0, 0)
  var path: Slice
  /// Without the question mark; empty at the path's end without one.
  var query: Slice
  var isOriginForm: Bool

  /// nil for a target that no request to a load balancer has.
  init?(_ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) {
    let target = head.target
    var start = target.start
    isOriginForm = bytes[start] == 0x2F
    if head.hostField >= 0 {
      let field = head.fields[head.hostField]
      host = Slice(Int(field.valueStart), Int(field.valueLength))
    }
    if !isOriginForm {
      let isAsterisk = target.count == 1 && bytes[start] == 0x2A
      if isAsterisk {
        isOriginForm = true
      } else {
        guard target.count > 7, Token.equals(bytes + start, "http://", 7) else { return nil }
        start += 7
        var end = start
        while end < target.end, bytes[end] != 0x2F, bytes[end] != 0x3F { end += 1 }
        if end == start { return nil }
        let authority = Slice(start, end - start)
        // Two different hosts are two opinions about where the request goes.
        if host.count != authority.count { return nil }
        for index in 0..<host.count
        where Token.lowercased(bytes[host.start + index]) != Token.lowercased(bytes[authority.start + index]) {
          return nil
        }
        start = end
      }
    }
    var pathEnd = start
    while pathEnd < target.end, bytes[pathEnd] != 0x3F { pathEnd += 1 }
    path = Slice(start, pathEnd - start)
    query = pathEnd < target.end ? Slice(pathEnd + 1, target.end - pathEnd - 1) : Slice(pathEnd, 0)
    cutPort(bytes)
  }

  private mutating func cutPort(_ bytes: UnsafePointer<UInt8>) {
    var index = host.end - 1
    while index >= host.start, bytes[index] &- 0x30 <= 9 { index -= 1 }
    if index >= host.start, bytes[index] == 0x3A { host.count = index - host.start }
  }

  /// The Location of a redirect.
  func location(_ redirect: GateSnapshot.Redirect, bytes: UnsafePointer<UInt8>, listener: ListenerRuntime) -> String {
    func text(_ slice: Slice) -> String {
      String(decoding: UnsafeBufferPointer(start: bytes + slice.start, count: slice.count), as: UTF8.self)
    }
    var plainPath = text(path)
    if plainPath.hasPrefix("/") { plainPath.removeFirst() }
    let values: [(String, String)] = [
      ("protocol", listener.scheme), ("host", text(host)), ("port", "\(listener.port)"), ("path", plainPath),
      ("query", text(query)),
    ]
    let scheme = Self.fill(redirect.scheme, values).lowercased()
    var result = "\(scheme)://\(Self.fill(redirect.host, values)):\(Self.fill(redirect.port, values))"
    let newPath = Self.fill(redirect.path, values)
    result += newPath.hasPrefix("/") ? newPath : "/" + newPath
    let newQuery = Self.fill(redirect.query, values)
    if !newQuery.isEmpty { result += "?" + newQuery }
    return result
  }

  /// Puts values in the place of `#{name}`, in one pass: what a value holds is not looked at again.
  static func fill(_ template: String, _ values: [(String, String)]) -> String {
    var result = ""
    var rest = template[...]
    while let start = rest.firstIndex(of: "#") {
      result += rest[..<start]
      rest = rest[start...]
      var found = false
      for (name, value) in values where rest.hasPrefix("#{\(name)}") {
        result += value
        rest = rest.dropFirst(name.count + 3)
        found = true
        break
      }
      if !found {
        result += "#"
        rest = rest.dropFirst()
      }
    }
    return result + rest
  }
}
