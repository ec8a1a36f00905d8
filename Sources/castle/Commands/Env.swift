// castle env: what a shell needs to talk to the castle.

import AWSCore
import ArgumentParser
import CastleServer
import Foundation

struct Env: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the environment for the aws command, the SDKs and the app's addresses.",
    discussion: #"EXAMPLES\n  eval "$(castle env)" && aws s3 ls"#)
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let client = try castle.client()
    let health = try await client.call("GET", "/health")
    let region = health["region"]?.text ?? "us-east-1"
    var variables: [(String, String)] = [
      ("AWS_ENDPOINT_URL", client.endpoint), ("AWS_ACCESS_KEY_ID", client.owner.accessKeyID),
      ("AWS_SECRET_ACCESS_KEY", client.owner.secretAccessKey), ("AWS_REGION", region), ("AWS_DEFAULT_REGION", region),
      ("CASTLE_DASHBOARD", client.dashboard),
    ]
    if FileManager.default.fileExists(atPath: castle.file) {
      let report = try await client.call("GET", "/stack", ["name": try castle.app().blueprint.name])
      for (key, value) in (report["outputs"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
        variables.append(("CASTLE_\(Self.upper(key))", value.text ?? ""))
      }
    }
    if output.json {
      print(JSONValue.object(Dictionary(variables.map { ($0.0, .string($0.1)) }, uniquingKeysWith: { $1 })).description)
    } else {
      for (name, value) in variables { print("export \(name)='\(value.replacingOccurrences(of: "'", with: "'\\''"))'") }
    }
  }

  /// `PublicUrl` → `PUBLIC_URL`.
  static func upper(_ name: String) -> String {
    var result = ""
    for character in name {
      if character.isUppercase, let last = result.last, last != "_", !last.isNumber { result += "_" }
      result += character.isLetter || character.isNumber ? character.uppercased() : "_"
    }
    return result
  }
}
