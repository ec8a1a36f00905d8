// In which order a task's containers start.

import ECSModel

enum ContainerOrder {
  /// The containers, each behind those that it depends on; otherwise as they stand.
  /// - Throws: `LaunchFailure` for conditions that the runtime cannot wait for, and for circles.
  static func sorted(_ containers: [ECS.ContainerDefinition]) throws(LaunchFailure) -> [ECS.ContainerDefinition] {
    var left = containers
    var sorted: [ECS.ContainerDefinition] = []
    for container in containers {
      for dependency in container.dependsOn ?? [] where dependency.condition != "START" {
        throw LaunchFailure(
          .start, "Castle does not implement the dependency condition \(dependency.condition) yet",
          container: container.name)
      }
    }
    while !left.isEmpty {
      let next = left.firstIndex { container in
        (container.dependsOn ?? []).allSatisfy { dependency in sorted.contains { $0.name == dependency.containerName } }
      }
      guard let next else {
        throw LaunchFailure(.start, "the containers' dependencies form a circle", container: left[0].name)
      }
      sorted.append(left.remove(at: next))
    }
    return sorted
  }
}
