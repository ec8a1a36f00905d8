// The dashboard as a person sees it: in a browser, over the running storefront.

import AWSCore
import CastleTesting
import Foundation
import Testing

/// Opens a page in headless Chromium and carries out commands there (Browser/browser.py says which).
/// - Returns: the commands' values, in their order.
private func browse(
  _ castle: CastleProcess, _ address: String, width: Int, height: Int = 800, _ commands: [JSONValue]
) async throws -> [JSONValue] {
  let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Browser/browser.py"
  let finished = try await castle.run(
    "python3", [script, address, "--width", "\(width)", "--height", "\(height)", "--timeout", "40"],
    environment: ["PYTHONDONTWRITEBYTECODE": "1"],
    input: commands.map { "\($0)\n" }.joined(), seconds: 100
  ).succeeded()
  let answers = try finished.output.split(separator: "\n").map { line in
    try JSONDecoder().decode(JSONValue.self, from: Data(line.utf8))
  }
  for (command, answer) in zip(commands, answers) {
    if let error = answer["error"]?.text { throw CastleProcessError("\(command): \(error)") }
  }
  try #require(answers.count == commands.count, "\(finished)")
  return answers.map { $0["value"] ?? .null }
}

private func wait(_ expression: String) -> JSONValue { ["wait": .string(expression)] }
private func evaluate(_ expression: String) -> JSONValue { ["evaluate": .string(expression)] }
/// Where a CI run keeps its pictures; nowhere when nobody asks.
private func screenshot(_ name: String) -> [JSONValue] {
  guard let folder = ProcessInfo.processInfo.environment["CASTLE_SCREENSHOTS"] else { return [] }
  return [["screenshot": .string("\(folder)/\(name).png")]]
}

extension StorefrontSuite {
  private func dashboard(_ castle: CastleProcess) async throws -> String {
    try #require(try await castle.credentials()["CASTLE_DASHBOARD"], "castle env names the dashboard's address")
  }

  @Test("the dashboard shows every part, and a task that is killed there comes back", .timeLimit(.minutes(2)))
  func dashboardKillsTask() async throws {
    let castle = try castle()
    let healthy = """
      [...document.querySelectorAll('[data-part="service/backend"] [data-task][data-health="healthy"]')]
      """
    let values = try await browse(
      castle, try await dashboard(castle), width: 1280,
      [
        wait("document.querySelectorAll('[data-part^=\"service/\"][data-health=\"healthy\"]').length === 2"),
        wait("\(healthy).length === 2"),
        evaluate("[...document.querySelectorAll('[data-part]')].map(part => part.dataset.part)"),
        evaluate("[...document.querySelectorAll('[data-node]')].map(node => node.dataset.role).sort().join(' ')"),
        evaluate("document.querySelectorAll('path.arrow').length"),
        evaluate("location.href"), evaluate("document.cookie"),
      ] + screenshot("dashboard-1280") + [
        evaluate("window.killed = \(healthy)[0].dataset.task"),
        evaluate("document.querySelector(`[data-task=\"${window.killed}\"] .kill`).click()"),
        wait("!\(healthy).some(task => task.dataset.task === window.killed)"),
        wait("\(healthy).filter(task => task.dataset.task !== window.killed).length === 2"),
        ["console": true],
      ])
    let parts = Set((values[2].array ?? []).compactMap(\.text))
    let wanted = [
      "frontdoor/internet", "frontdoor/shield", "loadbalancer/", "service/frontend", "service/backend", "database/",
      "cache/", "bucket/", "secrets", "secret/", "keys", "key/storefront",
    ]
    for want in wanted { #expect(parts.contains { $0.hasPrefix(want) }, "\(want) is among \(parts.sorted())") }
    #expect(parts.count { $0.hasPrefix("loadbalancer/") } == 2)
    #expect(values[3].text == "primary reader replica writer")
    #expect((values[4].integer ?? 0) >= 7, "arrows: \(values[4])")
    #expect(values[5].text == "\(castle.endpoint)/_castle/", "the token has left the address")
    #expect(values[6].text == "", "no script reads the token")
    #expect(values.last?.array?.isEmpty == true, "the console is quiet: \(values.last ?? .null)")
  }

  @Test("the log of a service is seen as it grows, and the page fits a phone", .timeLimit(.minutes(1)))
  func dashboardOnPhone() async throws {
    let castle = try castle()
    let values = try await browse(
      castle, try await dashboard(castle), width: 390, height: 844,
      [
        wait("document.querySelectorAll('[data-task]').length >= 4"),
        evaluate("document.documentElement.scrollWidth"),
      ] + screenshot("dashboard-390") + [
        evaluate("document.querySelector('[data-part=\"service/frontend\"] button.name').click()"),
        wait("document.querySelectorAll('.details .log li').length > 0"),
        evaluate("document.querySelector('.details .title').textContent"), ["console": true],
      ])
    #expect(values[1] == 390, "nothing is wider than the page")
    #expect(values[values.count - 2].text == "frontend")
    #expect(values.last?.array?.isEmpty == true, "the console is quiet: \(values.last ?? .null)")
  }
}
