// The machine that the castle runs on: what it has, and its names as an EC2 instance.

import AWSCore
import Glibc
import Store

/// What the machine is made of, as the kernel tells it.
struct Machine: Sendable {
  static let this = Machine()
  /// Where its ports are.
  static let address = "127.0.0.1"
  /// Unlike `ip-127-0-0-1.ec2.internal`, this name is found by whoever looks it up.
  static let dnsName = "localhost"

  let processors: Int
  /// GiB, rounded.
  let memory: Int
  /// Since when it runs, to the second.
  let booted: Timestamp

  private init() {
    processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    let bytes = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
    memory = max(1, (bytes + 1 << 29) >> 30)
    var (now, running) = (timespec(), timespec())
    clock_gettime(CLOCK_REALTIME, &now)
    clock_gettime(CLOCK_BOOTTIME, &running)
    booted = Timestamp(milliseconds: Int64(now.tv_sec - running.tv_sec) * 1000)
  }

  /// Not one of AWS's types, whose processors, memory and prices would not be this machine's: a family of its own, and
  /// processors and GiB as the size.
  var type: String { "castle.\(processors)x\(memory)" }

  /// In AWS's words.
  static var architecture: String {
    #if arch(arm64)
      "arm64"
    #else
      "x86_64"
    #endif
  }

  /// The same in each start of each castle, so that what names it stays true; another one in each account and region.
  static func id(_ scope: Scope) -> String { "i-0" + digits("instance", scope) }

  /// Of the reservation that it came with.
  static func reservation(_ scope: Scope) -> String { "r-0" + digits("reservation", scope) }

  /// 16 hexadecimal digits: FNV-1a's 64 bits, mixed once more as they differ little between regions.
  private static func digits(_ kind: String, _ scope: Scope) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(kind) \(scope)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
    hash ^= hash >> 33
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  /// The zone that it is in, whatever becomes of the subnets there: what was registered with a load balancer stays there.
  static func zone(_ region: String) -> String { Zones.names(region)[0] }

  /// Whether a text has the form of an instance's id: `i-` and 8 or 17 hexadecimal digits.
  static func isID(_ text: String) -> Bool {
    let digits = text.dropFirst(2)
    return text.hasPrefix("i-") && [8, 17].contains(digits.utf8.count)
      && digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (97...102).contains($0) }
  }
}
