// The storefront's frontend: the pages of the shop. What it shows it asks of the backend.
import AsyncHTTPClient
import Glibc
import Hummingbird
import StorefrontKit

let program = Program(name: "storefront-frontend")
exit(
  await program.main { program in
    let settings = program.settings
    var base = try settings.require(
      "BACKEND_URL", for: "the internal load balancer's URL, such as http://127.0.0.1:4000")
    while base.hasSuffix("/") { base.removeLast() }
    let site = Site(task: program.task, client: HTTPClient.shared, backendURL: base)
    let log = RequestLog(
      task: program.task, taskField: .frontendTask, output: program.output, answer: ErrorPage.answer(site))
    try await program.run(
      Application(
        router: site.router(log: log),
        configuration: .init(address: try settings.address(port: 3000), serverName: "storefront-frontend"),
        logger: program.logger))
  })
