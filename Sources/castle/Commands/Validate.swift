// castle validate and castle export: what can be said of castle.yaml without running anything.

import AWSCore
import ArgumentParser
import Blueprint
import Foundation

struct Validate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Check castle.yaml.")
  @OptionGroup var castle: CastleOptions
  @OptionGroup var output: OutputOptions

  func run() throws {
    _ = try castle.app()
    print(output.json ? #"{"valid":true}"# : "\(castle.file) is well")
  }
}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the app for another place.", subcommands: [CloudFormationExport.self],
    defaultSubcommand: CloudFormationExport.self)
}

struct CloudFormationExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cloudformation",
    abstract: "The CloudFormation template that castle up and AWS take alike.",
    discussion:
      "EXAMPLES\n  castle export cloudformation > template.yaml && aws cloudformation deploy --template-file template.yaml --stack-name shop --capabilities CAPABILITY_NAMED_IAM"
  )
  @OptionGroup var castle: CastleOptions
  @Option(name: .shortAndLong, help: "Write to a file instead of standard output.") var output: String?

  func run() throws {
    let app = try castle.app()
    let template = try app.blueprint.template(.yaml, directory: app.directory)
    if let output {
      try template.write(toFile: output, atomically: true, encoding: .utf8)
      print("wrote \(output)")
    } else {
      print(template, terminator: "")
    }
  }
}
