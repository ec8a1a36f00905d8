// What a host's name says about the service and the bucket that are asked for.

struct HostNames: Sendable {
  struct Meaning: Sendable, Equatable {
    /// An endpoint prefix, such as `sqs` or `api.ecr`.
    var service: String?
    var bucket: String?
  }

  let services: Set<String>
  let bucketSuffixes: [String]

  func read(_ host: String) -> Meaning {
    // Most come by an address and a port, and those name nothing.
    if host.utf8.allSatisfy({ $0 >= 48 && $0 <= 58 || $0 == UInt8(ascii: ".") }) { return Meaning() }
    var name = host.lowercased()[...]
    if let colon = name.lastIndex(of: ":"), name[name.index(after: colon)...].allSatisfy(\.isNumber) {
      name = name[..<colon]
    }
    // An address names nothing.
    if name.hasPrefix("[") || name.allSatisfy({ $0.isNumber || $0 == "." }) { return Meaning() }
    let labels = name.split(separator: ".").map(String.init)
    // The first of the labels from the left that is S3's divides a bucket, whose name may have dots, from the rest.
    if let at = labels.firstIndex(where: { $0 == "s3" || $0.hasPrefix("s3-") }), at + 1 < labels.count || at == 0 {
      let isWebsite = labels[at].hasPrefix("s3-website")
      if !isWebsite {
        return Meaning(service: "s3", bucket: at == 0 ? nil : labels[..<at].joined(separator: "."))
      }
    }
    var meaning = Meaning()
    for suffix in bucketSuffixes where name.hasSuffix("." + suffix) {
      let bucket = name.dropLast(suffix.count + 1)
      if !bucket.isEmpty { meaning = Meaning(service: "s3", bucket: String(bucket)) }
    }
    // A bucket may be called like a service; it is one when the request is signed for S3.
    if labels.count > 2, services.contains(labels[0] + "." + labels[1]) {
      meaning.service = labels[0] + "." + labels[1]
    } else if labels.count > 1, services.contains(labels[0]) {
      meaning.service = labels[0]
    }
    return meaning
  }
}
