// How a castle is run: what the command, the tests and CastleKit may choose.

import AWSCore
import Certificates
import Edge
import Foundation
import ServiceKit

/// The choices of one castle.
public struct CastleConfiguration: Sendable {
  /// Which callers are let in.
  public enum Admission: String, Sendable, Codable {
    /// Only keys that were made: `castle up`.
    case strict
    /// A key that nobody made is the owner's, unverified, on loopback: `castle start`, for tests with throw-away keys.
    case permissive
  }

  /// Everything that the castle keeps. Made when missing.
  public var stateDirectory: String
  /// Where the endpoint listens.
  public var listener = EdgeListener.address(host: "127.0.0.1", port: 4566)
  /// Whether the process that started this one holds its socket and starts it again when it is killed.
  var isKept: Bool { if case .inherited = listener { true } else { false } }
  public var region = "us-east-1"
  /// The owner's account.
  public var account = "000000000000"
  public var admission = Admission.permissive
  /// Whether the Gate also keeps its limits for sources in the kernel's packet filter (nftables, CAP_NET_ADMIN).
  public var filtersPackets = false
  /// Folder of castle-gate, castle-shim; nil looks beside the running program.
  public var helperDirectory: String?
  public var clock: any CastleClock = SystemClock()

  /// The socket that this process was started with; nil when there is none.
  public static func inheritedListener() -> EdgeListener? {
    InheritedSocket.take().map { .inherited(descriptor: $0) }
  }

  public init(stateDirectory: String) { self.stateDirectory = stateDirectory }

  /// The certificate of a castle's authority, for `castle trust`.
  public static func authorityCertificatePath(stateDirectory: String) -> String {
    CertificateAuthority(directory: "\(stateDirectory)/tls").certificatePath
  }

  /// Where a castle of this name keeps its state when nothing else is said: `CASTLE_STATE`, else `/var/lib/castle/NAME`
  /// as root (the database runs as another user and must be able to reach its files), else
  /// `$XDG_DATA_HOME/castle/NAME`.
  public static func defaultStateDirectory(name: String, environment: [String: String]) -> String {
    if let chosen = environment["CASTLE_STATE"], !chosen.isEmpty { return chosen }
    if getuid() == 0 { return "/var/lib/castle/\(name)" }
    let data = environment["XDG_DATA_HOME"] ?? (environment["HOME"] ?? "/tmp") + "/.local/share"
    return "\(data)/castle/\(name)"
  }
}
