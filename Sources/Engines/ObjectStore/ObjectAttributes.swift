// What is known about an object beside its bytes. The store keeps it and looks into none of it.

/// Everything a caller wants remembered with an object.
public struct ObjectAttributes: Sendable, Equatable {
  public var contentType: String?
  /// Further standard headers (`cache-control`, `content-disposition`, …), by the caller's names.
  public var system: [String: String]
  /// The user's own metadata.
  public var user: [String: String]
  public var tags: [String: String]
  public var storageClass: String
  /// Algorithm → base64, such as `CRC64NVME` → `…`.
  public var checksums: [String: String]
  /// Whether the checksums are of the whole object or of its parts' checksums, in the caller's words.
  public var checksumType: String?
  /// How the content is encrypted (wrapped data key and so on), opaque.
  public var encryption: [UInt8]
  /// Anything else the caller keeps (restore state, retention, …), opaque.
  public var notes: [String: String]

  public init(
    contentType: String? = nil, system: [String: String] = [:], user: [String: String] = [:],
    tags: [String: String] = [:], storageClass: String = "STANDARD", checksums: [String: String] = [:],
    checksumType: String? = nil, encryption: [UInt8] = [], notes: [String: String] = [:]
  ) {
    self.contentType = contentType
    self.system = system
    self.user = user
    self.tags = tags
    self.storageClass = storageClass
    self.checksums = checksums
    self.checksumType = checksumType
    self.encryption = encryption
    self.notes = notes
  }

  var packed: [UInt8] {
    var p = Packer()
    p.add(1)  // the version of this encoding
    p.add(contentType)
    p.add(system)
    p.add(user)
    p.add(tags)
    p.add(storageClass)
    p.add(checksums)
    p.add(checksumType)
    p.add(encryption)
    p.add(notes)
    return p.bytes
  }

  init(packed: [UInt8]) throws {
    var u = Unpacker(packed)
    guard try u.int() == 1 else { throw ObjectStoreError.corrupt("an index entry of a newer version") }
    self.init(
      contentType: try u.optionalString(), system: try u.dictionary(), user: try u.dictionary(),
      tags: try u.dictionary(), storageClass: try u.string(), checksums: try u.dictionary(),
      checksumType: try u.optionalString(), encryption: Array(try u.slice()), notes: try u.dictionary())
  }
}
