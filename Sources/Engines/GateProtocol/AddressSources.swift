// Where web ACLs learn what is known of addresses.

/// Files that the user gives, each with a network and something known of it in a line, and addresses besides.
public struct AddressSources: Codable, Sendable, Equatable {
  public struct File: Codable, Sendable, Equatable {
    public var path: String
    /// Nanoseconds since 1970. Another time means another content: it is read again.
    public var writtenAt: Int64

    public init(path: String, writtenAt: Int64) {
      self.path = path
      self.writtenAt = writtenAt
    }
  }

  /// Countries: `192.0.2.0/24,DE`. nil when nobody gave a file, as with the others.
  public var countries: File?
  /// Autonomous systems: `192.0.2.0/24,64496`.
  public var systems: File?
  /// Lists: `192.0.2.0/24,AWSManagedIPReputationList`.
  public var lists: File?
  /// Addresses that took part in floods of late.
  public var attackers: [String] = []

  public init() {}
}
