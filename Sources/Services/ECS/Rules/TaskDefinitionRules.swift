// What a task definition may say, and how AWS completes it.

import AWSCore
import ECSModel

enum TaskDefinitionRules {
  /// Checks a registration.
  /// - Throws: `ClientException` as AWS words it.
  static func check(_ input: ECS.RegisterTaskDefinitionRequest) throws {
    guard !input.family.isEmpty else { throw ECSError.client("Family should not be null or empty.") }
    guard Names.isValid(input.family) else { throw ECSError.client("Family contains invalid characters.") }
    let containers = input.containerDefinitions
    guard !containers.isEmpty else { throw ECSError.client("Container list cannot be empty.") }
    guard containers.count <= Limits.containers else {
      throw ECSError.client("Task definition has more than \(Limits.containers) container definitions.")
    }
    var names: Set<String> = []
    for container in containers {
      guard let name = container.name, !name.isEmpty else {
        throw ECSError.client("Container.name should not be null or empty.")
      }
      guard Names.isValid(name), name.utf8.count <= 60 else { throw ECSError.client("Invalid container name: \(name)") }
      guard names.insert(name).inserted else { throw ECSError.client("Container name '\(name)' is used twice.") }
      // Without an image there must at least be a program to run (a process task).
      let runs = !(container.command ?? []).isEmpty || !(container.entryPoint ?? []).isEmpty
      guard !(container.image ?? "").isEmpty || runs || container.dockerLabels?["castle.run"] != nil else {
        throw ECSError.client("Container.image should not be null or empty.")
      }
      try checkPorts(container, input.networkMode)
    }
    guard containers.contains(where: { $0.essential ?? true }) else {
      throw ECSError.client("A task must have at least one essential container.")
    }
    for container in containers {
      for dependency in container.dependsOn ?? [] where !names.contains(dependency.containerName) {
        throw ECSError.client(
          "The container '\(container.name ?? "")' depends on container '\(dependency.containerName)', which is not "
            + "defined."
        )
      }
    }
    try checkSize(input)
  }

  private static func checkPorts(_ container: ECS.ContainerDefinition, _ mode: String?) throws {
    for mapping in container.portMappings ?? [] {
      if let port = mapping.containerPort, !(0...65_535).contains(port) {
        throw ECSError.client("Invalid 'containerPort' setting for container '\(container.name ?? "")'")
      }
      if mode == "awsvpc", let host = mapping.hostPort, host != 0, let port = mapping.containerPort, host != port {
        throw ECSError.client(
          "When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
      }
    }
  }

  /// Fargate's sizes; elsewhere some memory must be given.
  private static func checkSize(_ input: ECS.RegisterTaskDefinitionRequest) throws {
    if (input.requiresCompatibilities ?? []).contains("FARGATE") {
      guard input.networkMode == "awsvpc" else { throw ECSError.client("Fargate only supports network mode ‘awsvpc’.") }
      guard let cpu = input.cpu.flatMap(units), let memory = input.memory.flatMap(mebibytes) else {
        throw ECSError.client("Fargate requires that 'cpu' be defined at the task level.")
      }
      guard fargate(cpu: cpu, memory: memory) else {
        throw ECSError.client("No Fargate configuration exists for given values: \(cpu) CPU, \(memory) memory.")
      }
      return
    }
    guard input.memory == nil else { return }
    for container in input.containerDefinitions where container.memory == nil && container.memoryReservation == nil {
      throw ECSError.client(
        "Invalid setting for container '\(container.name ?? "")'. At least one of 'memory' or 'memoryReservation' must "
          + "be specified."
      )
    }
  }

  /// CPU units from `256`, `.25 vCPU`.
  static func units(_ text: String) -> Int? {
    let lower = text.lowercased()
    guard lower.hasSuffix("vcpu") else { return Int(text) }
    return Double(trimmed(lower.dropLast(4))).map { Int($0 * 1024) }
  }

  /// MiB from `512`, `1 GB`.
  static func mebibytes(_ text: String) -> Int? {
    let lower = text.lowercased()
    guard lower.hasSuffix("gb") else { return Int(text) }
    return Double(trimmed(lower.dropLast(2))).map { Int($0 * 1024) }
  }

  private static func trimmed(_ text: Substring) -> String { String(text.filter { $0 != " " }) }

  /// The combinations of the Fargate developer guide.
  static func fargate(cpu: Int, memory: Int) -> Bool {
    let gigabytes = Double(memory) / 1024
    func whole(_ range: ClosedRange<Int>, step: Int = 1) -> Bool {
      memory % 1024 == 0 && range.contains(memory / 1024) && (memory / 1024 - range.lowerBound) % step == 0
    }
    switch cpu {
    case 256: return [0.5, 1, 2].contains(gigabytes)
    case 512: return whole(1...4)
    case 1024: return whole(2...8)
    case 2048: return whole(4...16)
    case 4096: return whole(8...30)
    case 8192: return whole(16...60, step: 4)
    case 16384: return whole(32...120, step: 8)
    default: return false
    }
  }

  /// The definition as AWS tells it back: what was sent, with the defaults written out.
  static func completed(_ input: ECS.RegisterTaskDefinitionRequest) -> ECS.TaskDefinition {
    let mode = input.networkMode ?? "bridge"
    return .make {
      $0.family = input.family
      $0.containerDefinitions = input.containerDefinitions.map { completed($0, mode) }
      $0.taskRoleArn = input.taskRoleArn
      $0.executionRoleArn = input.executionRoleArn
      $0.networkMode = mode
      $0.volumes = (input.volumes ?? []).map { volume in
        var volume = volume
        let isSpecial =
          volume.dockerVolumeConfiguration != nil || volume.efsVolumeConfiguration != nil
          || volume.fsxWindowsFileServerVolumeConfiguration != nil || volume.configuredAtLaunch == true
        if volume.host == nil, !isSpecial { volume.host = .init() }
        return volume
      }
      $0.status = "ACTIVE"
      $0.placementConstraints = input.placementConstraints ?? []
      $0.requiresCompatibilities = input.requiresCompatibilities
      $0.compatibilities = mode == "awsvpc" ? ["EC2", "FARGATE"] : ["EC2"]
      $0.cpu = input.cpu.flatMap { units($0) }.map { String($0) }
      $0.memory = input.memory.flatMap { mebibytes($0) }.map { String($0) }
      $0.pidMode = input.pidMode
      $0.ipcMode = input.ipcMode
      $0.proxyConfiguration = input.proxyConfiguration
      $0.inferenceAccelerators = input.inferenceAccelerators
      $0.ephemeralStorage = input.ephemeralStorage
      $0.runtimePlatform = input.runtimePlatform
      $0.enableFaultInjection = input.enableFaultInjection
      $0.requiresAttributes = attributes(input, mode)
    }
  }

  private static func completed(_ container: ECS.ContainerDefinition, _ mode: String) -> ECS.ContainerDefinition {
    var container = container
    container.cpu = container.cpu ?? 0
    container.essential = container.essential ?? true
    container.environment = container.environment ?? []
    container.mountPoints = container.mountPoints ?? []
    container.volumesFrom = container.volumesFrom ?? []
    container.systemControls = container.systemControls ?? []
    container.portMappings = (container.portMappings ?? []).map { mapping in
      var mapping = mapping
      mapping.protocol = mapping.protocol ?? "tcp"
      if mapping.hostPort == nil, mapping.containerPortRange == nil {
        mapping.hostPort = mode == "bridge" ? 0 : mapping.containerPort
      }
      return mapping
    }
    if var check = container.healthCheck {
      check.interval = check.interval ?? 30
      check.timeout = check.timeout ?? 5
      check.retries = check.retries ?? 3
      container.healthCheck = check
    }
    return container
  }

  private static func attributes(_ input: ECS.RegisterTaskDefinitionRequest, _ mode: String) -> [ECS.Attribute] {
    var names = ["com.amazonaws.ecs.capability.docker-remote-api.1.18"]
    if mode == "awsvpc" { names.append("ecs.capability.task-eni") }
    if input.taskRoleArn != nil { names.append("com.amazonaws.ecs.capability.task-iam-role") }
    if input.containerDefinitions.contains(where: { $0.logConfiguration?.logDriver == "awslogs" }) {
      names.append("com.amazonaws.ecs.capability.logging-driver.awslogs")
    }
    if input.containerDefinitions.contains(where: { !($0.secrets ?? []).isEmpty }) {
      names.append("ecs.capability.secrets.asm.environment-variables")
    }
    return names.map { name in .make { $0.name = name } }
  }
}
