// The command: one file per subcommand, which parses and prints; the work is CastleServer's.

import ArgumentParser

@main
struct CastleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "castle",
    abstract: "The classic AWS production architecture, whole and for real, on this machine.",
    discussion: """
      EXAMPLES
        castle up                      run the app in ./castle.yaml, and follow its logs
        castle up -d                   the same in the background
        castle start                   an empty cloud: the AWS APIs at http://127.0.0.1:4566
        eval "$(castle env)"           let the aws command and the SDKs talk to it
        castle scale backend 4         run four tasks of a service
        castle export cloudformation   the template that castle up and AWS take alike
      """,
    version: "0.1.0",
    subcommands: [
      Up.self, Down.self, Destroy.self, Status.self, Logs.self, Scale.self, Restart.self, Env.self, Start.self,
      Reset.self, Trust.self, Validate.self, Export.self, Doctor.self, Serve.self,
    ])
}
