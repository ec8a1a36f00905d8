// castle trust: puts the castle's certificate authority into the system's store, so that browsers and curl believe the
// certificates of its load balancers.

import ArgumentParser
import CastleServer
import Foundation

struct Trust: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let this system trust the castle's certificates. Asks first.",
    discussion: """
      Each castle has a certificate authority of its own; ACM's certificates are signed by it. Its key never leaves the
      castle's folder. Whoever can read that key can pretend to be any site to who trusts it.

      EXAMPLES
        castle trust                                    install it (as root; Debian and its kin)
        curl --cacert "$(castle trust --print)" https://…   trust it for one command only
        castle trust --remove                           take it out again
      """)
  @OptionGroup var castle: CastleOptions
  @Flag(help: "Print where the authority's certificate is, and change nothing.")
  var print = false
  @Flag(help: "Take it out of the system's store.")
  var remove = false
  @Flag(name: [.customShort("y"), .long], help: "Do not ask.")
  var yes = false

  private static let folder = "/usr/local/share/ca-certificates"
  private static let program = "/usr/sbin/update-ca-certificates"

  func run() async throws {
    let state = try castle.stateDirectory()
    let certificate = CastleConfiguration.authorityCertificatePath(stateDirectory: state)
    let name = URL(fileURLWithPath: state).lastPathComponent.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    let place = "\(Self.folder)/castle-\(name).crt"
    if remove { return try await takeOut(place) }
    guard FileManager.default.fileExists(atPath: certificate) else {
      throw Complaint("There is no authority in \(state) yet: the castle's first start makes it (castle up).")
    }
    guard !print else {
      Swift.print(certificate)
      return
    }
    try checkSystem(or: "Castle's authority is in \(certificate).")
    guard
      try agreed(
        "This lets every program on this system trust what the castle in \(state) signs.",
        hint: "castle trust changes the system's certificates.")
    else {
      Swift.print("nothing was changed")
      return
    }
    try Data(contentsOf: URL(fileURLWithPath: certificate)).write(to: URL(fileURLWithPath: place), options: .atomic)
    try await update([])
    Swift.print("trusted: \(place); castle trust --remove takes it out")
  }

  private func takeOut(_ place: String) async throws {
    guard FileManager.default.fileExists(atPath: place) else {
      Swift.print("it is not in the system's store")
      return
    }
    try checkSystem(or: "Remove \(place) by hand.")
    try FileManager.default.removeItem(atPath: place)
    try await update(["--fresh"])
    Swift.print("removed from the system's store")
  }

  private func checkSystem(or advice: String) throws {
    guard FileManager.default.isExecutableFile(atPath: Self.program) else {
      throw Complaint("This system has no \(Self.program) (package ca-certificates). \(advice)")
    }
    guard geteuid() == 0 else { throw Complaint("This needs root: sudo castle trust. \(advice)") }
  }

  private func agreed(_ question: String, hint: String) throws -> Bool {
    if yes { return true }
    guard isatty(STDIN_FILENO) == 1 else { throw Complaint("\(hint) Say so with --yes.") }
    Swift.print("\(question) Type yes to go on: ", terminator: "")
    return readLine() == "yes"
  }

  private func update(_ arguments: [String]) async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Self.program)
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    let status = try await withCheckedThrowingContinuation { ended in
      process.terminationHandler = { ended.resume(returning: $0.terminationStatus) }
      do { try process.run() } catch { ended.resume(throwing: error) }
    }
    guard status == 0 else { throw Complaint("\(Self.program) ended with \(status).") }
  }
}
