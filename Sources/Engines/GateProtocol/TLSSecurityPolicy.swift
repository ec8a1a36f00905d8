// The security policies of Elastic Load Balancing: which protocol versions and cipher suites a listener takes. One
// table, read by the Gate and by DescribeSSLPolicies.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html

/// A named security policy.
public struct TLSSecurityPolicy: Sendable, Equatable {
  public enum Version: String, Sendable, CaseIterable, Comparable {
    case tls10 = "TLSv1"
    case tls11 = "TLSv1.1"
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"

    public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }
  }

  public var name: String
  /// Ascending and without gaps.
  public var versions: [Version]
  /// OpenSSL's names, in the order of preference; those of TLS 1.3 begin with `TLS_`.
  public var ciphers: [String]
  /// Curves outside FIPS 186 and 140 are left out.
  public var isFIPS: Bool
  /// Offers the hybrid key exchanges with ML-KEM first, which needs OpenSSL 3.5.
  public var isPostQuantum: Bool

  /// The policy of listeners that name none (API, CloudFormation).
  public static let defaultName = "ELBSecurityPolicy-2016-08"

  /// The policy of this name.
  public static func named(_ name: String) -> TLSSecurityPolicy? { byName[name] }

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

extension TLSSecurityPolicy {
  /// Every policy, the newest first.
  public static let all: [TLSSecurityPolicy] = modern + postQuantum + fips + classic

  // MARK: - Sets of suites

  private static let tls13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
  private static let tls13FIPS = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]
  private static let restricted = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
  ]
  private static let forwardSecret = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384",
  ]
  /// With SHA-1, for TLS below 1.2.
  private static let forwardSecretOld = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES256-SHA",
  ]
  private static let plain = ["AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256"]
  private static let plainOld = [
    "AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA",
  ]

  private static func policy(
    _ suffix: String, from lowest: Version, to highest: Version, _ ciphers: [String], fips: Bool = false,
    postQuantum: Bool = false
  ) -> TLSSecurityPolicy {
    TLSSecurityPolicy(
      name: "ELBSecurityPolicy-" + suffix,
      versions: Version.allCases.filter { $0 >= lowest && $0 <= highest }, ciphers: ciphers, isFIPS: fips,
      isPostQuantum: postQuantum)
  }

  // MARK: - The table

  private static let modern = [
    policy("TLS13-1-3-2021-06", from: .tls13, to: .tls13, tls13),
    policy("TLS13-1-2-2021-06", from: .tls12, to: .tls13, tls13 + forwardSecret),
    policy("TLS13-1-2-Res-2021-06", from: .tls12, to: .tls13, tls13 + restricted),
    policy("TLS13-1-2-Ext2-2021-06", from: .tls12, to: .tls13, tls13 + forwardSecretOld + plainOld),
    policy("TLS13-1-2-Ext1-2021-06", from: .tls12, to: .tls13, tls13 + forwardSecret + plain),
    policy("TLS13-1-1-2021-06", from: .tls11, to: .tls13, tls13 + forwardSecretOld + plainOld),
    policy("TLS13-1-0-2021-06", from: .tls10, to: .tls13, tls13 + forwardSecretOld + plainOld),
  ]

  private static let postQuantum = [
    policy("TLS13-1-3-PQ-2025-09", from: .tls13, to: .tls13, tls13, postQuantum: true),
    policy("TLS13-1-2-PQ-2025-09", from: .tls12, to: .tls13, tls13 + forwardSecret, postQuantum: true),
    policy("TLS13-1-2-Res-PQ-2025-09", from: .tls12, to: .tls13, tls13 + restricted, postQuantum: true),
    policy(
      "TLS13-1-2-Ext2-PQ-2025-09", from: .tls12, to: .tls13, tls13 + forwardSecretOld + plainOld, postQuantum: true),
    policy("TLS13-1-2-Ext1-PQ-2025-09", from: .tls12, to: .tls13, tls13 + forwardSecret + plain, postQuantum: true),
  ]

  private static let fips = [
    policy("TLS13-1-3-FIPS-2023-04", from: .tls13, to: .tls13, tls13FIPS, fips: true),
    policy("TLS13-1-2-FIPS-2023-04", from: .tls12, to: .tls13, tls13FIPS + forwardSecret, fips: true),
    policy("TLS13-1-2-Res-FIPS-2023-04", from: .tls12, to: .tls13, tls13FIPS + restricted, fips: true),
    policy(
      "TLS13-1-2-Ext2-FIPS-2023-04", from: .tls12, to: .tls13, tls13FIPS + forwardSecretOld + plainOld, fips: true),
    policy("TLS13-1-2-Ext1-FIPS-2023-04", from: .tls12, to: .tls13, tls13FIPS + forwardSecret + plain, fips: true),
    policy("TLS13-1-2-Ext0-FIPS-2023-04", from: .tls12, to: .tls13, tls13FIPS + forwardSecretOld, fips: true),
    policy("TLS13-1-1-FIPS-2023-04", from: .tls11, to: .tls13, tls13FIPS + forwardSecretOld + plainOld, fips: true),
    policy("TLS13-1-0-FIPS-2023-04", from: .tls10, to: .tls13, tls13FIPS + forwardSecretOld + plainOld, fips: true),
  ]

  private static let classic = [
    policy("TLS-1-0-2015-04", from: .tls10, to: .tls12, forwardSecretOld + plainOld + ["DES-CBC3-SHA"]),
    policy("2016-08", from: .tls10, to: .tls12, forwardSecretOld + plainOld),
    policy("2015-05", from: .tls10, to: .tls12, forwardSecretOld + plainOld),
    policy("TLS-1-1-2017-01", from: .tls11, to: .tls12, forwardSecretOld + plainOld),
    policy("TLS-1-2-2017-01", from: .tls12, to: .tls12, forwardSecret + plain),
    policy("TLS-1-2-Ext-2018-06", from: .tls12, to: .tls12, forwardSecretOld + plainOld),
    policy("FS-2018-06", from: .tls10, to: .tls12, forwardSecretOld),
    policy("FS-1-1-2019-08", from: .tls11, to: .tls12, forwardSecretOld),
    policy("FS-1-2-2019-08", from: .tls12, to: .tls12, forwardSecretOld),
    policy("FS-1-2-Res-2019-08", from: .tls12, to: .tls12, forwardSecret),
    policy("FS-1-2-Res-2020-10", from: .tls12, to: .tls12, restricted),
  ]
}
