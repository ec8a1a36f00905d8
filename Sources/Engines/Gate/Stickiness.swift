// Cookies that keep a client with a target group (AWSALBTG), or with a target (AWSALB, AWSALBAPP-0).
import GateProtocol
import GateTokens
import HTTPWire

/// A cookie as it was last sealed: sealing again within the same second would say the same.
struct SealedCookie {
  var second: UInt64 = 0
  var text = ""
}

/// What a request's cookies ask for, and which cookies its answer sets.
struct StickyChoice {
  /// The answer names the target group, for so many seconds.
  var groupSeconds: UInt64?
  /// The answer names the target by the load balancer's cookie, for so many seconds.
  var targetSeconds: UInt64?
  /// The answer names the target if it sets the application's cookie, or if `cameBack`.
  var application: String?
  var applicationCameBack = false

  var isNeeded: Bool { groupSeconds != nil || targetSeconds != nil || application != nil }
}

/// Reads and writes the cookies of a loop's load balancers.
struct CookieJar {
  private enum Purpose: String {
    case group = "tg"
    case target = "lb"
    case application = "app"
  }

  /// The browser forgets the cookie of application stickiness after seven days; the group's duration is checked here.
  private static let applicationCookieSeconds: UInt64 = 604_800
  private static let groupCookie: StaticString = "AWSALBTG"
  private static let targetCookie: StaticString = "AWSALB"
  private static let applicationCookie: StaticString = "AWSALBAPP-0"
  /// Requests that come from other sites (CORS) bring only these.
  private static let groupCookieOfOthers: StaticString = "AWSALBTGCORS"
  private static let targetCookieOfOthers: StaticString = "AWSALBCORS"

  var seal: TokenSeal

  // MARK: - Requests

  /// The group that the request's cookie names, if it is one of the action's.
  func group(
    _ groups: WeightedGroups, _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>, second: UInt64
  ) -> GroupUse? {
    guard let stickiness = groups.stickiness,
      let value = Self.cookie(Self.groupCookie, head, bytes) ?? Self.cookie(Self.groupCookieOfOthers, head, bytes),
      let content = open(value, .group, second: second, lifetime: stickiness / 1_000_000)
    else { return nil }
    // A group that was given no weight is taken out, for those who were with it too.
    return groups.groups.first { $0.use.group.fingerprint == content.group && $0.weight > 0 }?.use
  }

  /// The target that the request's cookies name, if it may get requests. Notes what the answer has to set.
  func target(
    _ pool: TargetPool, _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>, second: UInt64,
    _ choice: inout StickyChoice
  ) -> TargetRuntime? {
    guard let stickiness = pool.group.stickiness else { return nil }
    switch stickiness {
    case .loadBalancerCookie(let duration):
      choice.targetSeconds = UInt64(max(1, duration))
      let value = Self.cookie(Self.targetCookie, head, bytes) ?? Self.cookie(Self.targetCookieOfOthers, head, bytes)
      guard let value else { return nil }
      return find(value, .target, pool, second, UInt64(max(1, duration)))
    case .applicationCookie(let name, let duration):
      choice.application = name
      // Both cookies must come back; what the application's holds is its own business.
      guard Self.cookie(named: Array(name.utf8), head, bytes) != nil,
        let value = Self.cookie(Self.applicationCookie, head, bytes)
      else { return nil }
      let target = find(value, .application, pool, second, UInt64(max(1, duration)))
      choice.applicationCameBack = target != nil
      return target
    }
  }

  private func find(
    _ value: UnsafeBufferPointer<UInt8>, _ purpose: Purpose, _ pool: TargetPool, _ second: UInt64, _ lifetime: UInt64
  ) -> TargetRuntime? {
    guard let content = open(value, purpose, second: second, lifetime: lifetime),
      content.group == pool.group.fingerprint
    else { return nil }
    return pool.target(at: content.target)
  }

  private func open(
    _ value: UnsafeBufferPointer<UInt8>, _ purpose: Purpose, second: UInt64, lifetime: UInt64
  ) -> (group: UInt64, target: SocketAddress)? {
    guard let plain = seal.open(value, purpose: purpose.rawValue), plain.count == 22 else { return nil }
    func number(_ range: Range<Int>) -> UInt64 { plain[range].reduce(0) { $0 << 8 | UInt64($1) } }
    let made = number(0..<8)
    // A cookie from the future was made before the clock was put back: it is as good as new.
    if made < second, second - made >= lifetime { return nil }
    return (
      number(8..<16), SocketAddress(address: UInt32(number(16..<20)), port: UInt16(number(20..<22)))
    )
  }

  // MARK: - Answers

  /// Appends the Set-Cookie lines of an answer.
  /// - Parameters:
  ///   - setsApplicationCookie: the target's answer sets the cookie that `choice.application` names.
  ///   - isSecure: the listener speaks TLS, so the cookie for other sites can be marked so.
  func append(
    _ choice: StickyChoice, _ target: TargetRuntime, setsApplicationCookie: Bool, isSecure: Bool, second: UInt64,
    to out: inout Bytes
  ) {
    if let seconds = choice.groupSeconds {
      let group = target.group
      if group.cookie.second != second {
        group.cookie = SealedCookie(second: second, text: sealed(.group, group.fingerprint, nil, second))
      }
      append(Self.groupCookie, group.cookie.text, second + seconds, isSecure, to: &out)
    }
    let isApplication = choice.application != nil && (setsApplicationCookie || choice.applicationCameBack)
    guard choice.targetSeconds != nil || isApplication else { return }
    if target.cookie.second != second {
      let purpose: Purpose = isApplication ? .application : .target
      target.cookie = SealedCookie(
        second: second, text: sealed(purpose, target.group.fingerprint, target.address, second))
    }
    if let seconds = choice.targetSeconds {
      append(Self.targetCookie, target.cookie.text, second + seconds, isSecure, to: &out)
    } else {
      line(Self.applicationCookie, target.cookie.text, second + Self.applicationCookieSeconds, to: &out)
      out.append("\r\n")
    }
  }

  private func sealed(_ purpose: Purpose, _ group: UInt64, _ target: SocketAddress?, _ second: UInt64) -> String {
    var plain: [UInt8] = []
    func put(_ value: UInt64, _ count: Int) {
      for index in (0..<count).reversed() { plain.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }
    put(second, 8)
    put(group, 8)
    put(UInt64(target?.address ?? 0), 4)
    put(UInt64(target?.port ?? 0), 2)
    return seal.seal(plain, purpose: purpose.rawValue) ?? ""
  }

  private func append(_ name: StaticString, _ value: String, _ expires: UInt64, _ isSecure: Bool, to out: inout Bytes) {
    line(name, value, expires, to: &out)
    out.append("\r\n")
    // A second one for requests from other sites (CORS), which browsers send only with SameSite=None.
    line("\(name)CORS", value, expires, to: &out)
    if isSecure { out.append("; SameSite=None; Secure\r\n") } else { out.append("; SameSite=None\r\n") }
  }

  private func line(_ name: StaticString, _ value: String, _ expires: UInt64, to out: inout Bytes) {
    line("\(name)", value, expires, to: &out)
  }

  private func line(_ name: String, _ value: String, _ expires: UInt64, to out: inout Bytes) {
    out.append("Set-Cookie: ")
    out.append(text: name)
    out.append(byte: 0x3D)
    out.append(text: value)
    out.append("; Expires=")
    out.append(text: HTTPDate.text(secondsSince1970: Int(expires)))
    out.append("; Path=/")
  }

  // MARK: - Cookie lines

  private static func cookie(
    _ name: StaticString, _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8>? {
    cookie(
      UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), head, bytes)
  }

  static func cookie(
    named name: [UInt8], _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8>? {
    name.withUnsafeBufferPointer { cookie($0, head, bytes) }
  }

  /// The value of a cookie in a request's Cookie lines.
  static func cookie(
    _ name: UnsafeBufferPointer<UInt8>, _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8>? {
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      guard Token.matches(bytes + Int(field.start), Int(field.nameLength), "cookie") else { continue }
      let value = UnsafeBufferPointer(start: bytes + Int(field.valueStart), count: Int(field.valueLength))
      if let found = find(name, in: value) { return found }
    }
    return nil
  }

  private static func find(
    _ name: UnsafeBufferPointer<UInt8>, in line: UnsafeBufferPointer<UInt8>
  ) -> UnsafeBufferPointer<UInt8>? {
    var position = 0
    while position < line.count {
      while position < line.count, line[position] == 0x20 || line[position] == 0x3B { position += 1 }
      var end = position
      while end < line.count, line[end] != 0x3B { end += 1 }
      if end - position > name.count, line[position + name.count] == 0x3D,
        name.indices.allSatisfy({ line[position + $0] == name[$0] })
      {
        return UnsafeBufferPointer(rebasing: line[(position + name.count + 1)..<end])
      }
      position = end + 1
    }
    return nil
  }

  /// Whether a response sets the cookie.
  static func sets(_ name: String, _ head: borrowing MessageHead, _ bytes: UnsafePointer<UInt8>) -> Bool {
    let wanted = Array(name.utf8)
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      guard Token.matches(bytes + Int(field.start), Int(field.nameLength), "set-cookie"),
        Int(field.valueLength) > wanted.count
      else { continue }
      let value = bytes + Int(field.valueStart)
      if value[wanted.count] == 0x3D, wanted.indices.allSatisfy({ value[$0] == wanted[$0] }) { return true }
    }
    return false
  }
}
