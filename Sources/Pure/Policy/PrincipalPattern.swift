// The Principal element: whom a resource's policy speaks of.

/// One entry of `Principal` or `NotPrincipal`.
enum PrincipalPattern: Sendable, Hashable {
  case everyone
  /// An account, as twelve digits or its root's ARN: whoever the account lets.
  case account(String)
  /// The ARN of a user, role or session, or a unique id.
  case named(String)
  case service(String)
  case federated(String)
  case canonicalUser(String)

  /// How closely an entry names somebody; what a boundary can take away depends on it.
  enum Match: Int, Comparable, Sendable {
    case none
    /// Only the account: it is up to the account's own policies.
    case account
    /// Everyone, or the role behind a session.
    case direct
    /// The very user or session.
    case exact

    static func < (a: Match, b: Match) -> Bool { a.rawValue < b.rawValue }
  }

  func match(_ principal: PolicyPrincipal) -> Match {
    switch self {
    case .everyone: return .direct
    case .account(let id):
      guard !id.isEmpty, principal.account == id, principal.kind != .service else { return .none }
      return .account
    case .named(let name):
      if name == principal.arn || (!principal.uniqueID.isEmpty && name == principal.uniqueID) { return .exact }
      if let role = principal.roleARN, name == role { return .direct }
      // A deleted role's unique id: `AROA…` before the session's name.
      if principal.kind == .assumedRole, principal.uniqueID.hasPrefix("\(name):") { return .direct }
      return .none
    case .service(let name): return principal.kind == .service && principal.name == name ? .exact : .none
    case .federated(let name): return principal.kind == .webIdentity && principal.name == name ? .exact : .none
    case .canonicalUser(let id):
      return !id.isEmpty && principal.canonicalID == id ? .account : .none
    }
  }

  /// Reads an entry of the `AWS` kind; nil when it names nobody.
  static func aws(_ text: String) -> PrincipalPattern? {
    if text == "*" { return .everyone }
    if isAccount(text) { return .account(text) }
    let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
    if parts.count == 6, parts[0] == "arn", parts[2] == "iam" || parts[2] == "sts", isAccount(parts[4]) {
      if parts[2] == "iam", parts[5] == "root" { return .account(parts[4]) }
      let kinds = parts[2] == "iam" ? ["user/", "role/"] : ["assumed-role/", "federated-user/"]
      guard kinds.contains(where: { parts[5].hasPrefix($0) && parts[5].count > $0.count }), !text.contains("*") else {
        return nil
      }
      return .named(text)
    }
    // A unique id, which IAM puts in place of a deleted user or role.
    let isID = text.utf8.count >= 16 && text.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 65 && $0 <= 90) }
    return isID && (text.hasPrefix("AROA") || text.hasPrefix("AIDA")) ? .named(text) : nil
  }

  static func isAccount(_ text: String) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
  }
}
