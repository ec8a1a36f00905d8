// Key specs and what each can do (KMS developer guide, "Key spec reference").

/// What a key is for.
enum KeyUsage: String, Codable, Sendable {
  case encryptDecrypt = "ENCRYPT_DECRYPT"
  case signVerify = "SIGN_VERIFY"
  case generateVerifyMac = "GENERATE_VERIFY_MAC"
}

/// The kinds of key that Castle makes.
enum KeySpec: String, Codable, Sendable, CaseIterable {
  case symmetric = "SYMMETRIC_DEFAULT"
  case rsa2048 = "RSA_2048"
  case rsa3072 = "RSA_3072"
  case rsa4096 = "RSA_4096"
  case p256 = "ECC_NIST_P256"
  case p384 = "ECC_NIST_P384"
  case p521 = "ECC_NIST_P521"
  case ed25519 = "ECC_NIST_EDWARDS25519"
  case hmac224 = "HMAC_224"
  case hmac256 = "HMAC_256"
  case hmac384 = "HMAC_384"
  case hmac512 = "HMAC_512"

  var isRSA: Bool { rsaBits != nil }
  var isAsymmetric: Bool { isRSA || [.p256, .p384, .p521, .ed25519].contains(self) }

  var rsaBits: Int? {
    switch self {
    case .rsa2048: 2048
    case .rsa3072: 3072
    case .rsa4096: 4096
    default: nil
    }
  }

  /// The usages that a key of this spec may be made with.
  var usages: [KeyUsage] {
    switch self {
    case .symmetric: [.encryptDecrypt]
    case .rsa2048, .rsa3072, .rsa4096: [.encryptDecrypt, .signVerify]
    case .p256, .p384, .p521, .ed25519: [.signVerify]
    case .hmac224, .hmac256, .hmac384, .hmac512: [.generateVerifyMac]
    }
  }

  func encryptionAlgorithms(_ usage: KeyUsage) -> [String]? {
    guard usage == .encryptDecrypt else { return nil }
    return isRSA ? ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] : ["SYMMETRIC_DEFAULT"]
  }

  func signingAlgorithms(_ usage: KeyUsage) -> [String]? {
    guard usage == .signVerify else { return nil }
    switch self {
    case .p256: return ["ECDSA_SHA_256"]
    case .p384: return ["ECDSA_SHA_384"]
    case .p521: return ["ECDSA_SHA_512"]
    case .ed25519: return ["ED25519_SHA_512"]
    case .rsa2048, .rsa3072, .rsa4096:
      return ["PKCS1_V1_5", "PSS"].flatMap { padding in [256, 384, 512].map { "RSASSA_\(padding)_SHA_\($0)" } }
    default: return nil
    }
  }

  var macAlgorithms: [String]? {
    switch self {
    case .hmac224: ["HMAC_SHA_224"]
    case .hmac256: ["HMAC_SHA_256"]
    case .hmac384: ["HMAC_SHA_384"]
    case .hmac512: ["HMAC_SHA_512"]
    default: nil
    }
  }

  /// Bytes of a symmetric or HMAC key.
  var secretBytes: Int? {
    switch self {
    case .symmetric, .hmac256: 32
    case .hmac224: 28
    case .hmac384: 48
    case .hmac512: 64
    default: nil
    }
  }
}
