//! Every operation there is: id, method, path, privilege, shape and types, one line each.
//!
//! An operation's id is also the tracing span and the audit action (`container_start` -> `container.start`); the
//! end-to-end test that proves it begins with its noun. Parameters fill the path's `{placeholders}` by name; the rest of them is the query.

use crate::types::*;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Who may ask for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Any user of the host; what is marked secret only for members of the group `volt`.
    Read,
    /// root or a member of the group `volt`.
    Container,
    /// root only.
    Admin,
}

/// How request and answer travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// JSON in, JSON out.
    Plain,
    /// JSON in (or bytes), [`Progress`] lines out (`application/x-ndjson`).
    Progress,
    /// JSON in, [`Line`]s out, perhaps without an end.
    Lines,
    /// Server-sent events.
    Events,
    /// Bytes out.
    Download,
    /// Bytes in, JSON out.
    Upload,
    /// Bytes in, [`Progress`] lines out.
    UploadProgress,
    /// The connection becomes a `volt-stream` of frames.
    Stream,
}

/// An operation as a type, for the typed client and the router.
pub trait Operation: 'static {
    /// What fills the path and the query.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// The body.
    type Body: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// The answer, or one item of it.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// What is known of it without its types.
    const INFO: OperationInfo;
}

/// An operation as a row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo {
    /// Its id, `noun_verb`.
    pub id: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path with `{placeholders}`.
    pub path: &'static str,
    /// Who may ask.
    pub privilege: Privilege,
    /// How it travels.
    pub shape: Shape,
    /// One sentence.
    pub summary: &'static str,
    /// Whether it changes something, and so has a line in the audit trail.
    pub changes: bool,
    /// The schemas of parameters, body and answer.
    pub schemas: fn(&mut SchemaGenerator) -> [Schema; 3],
}

impl OperationInfo {
    /// The audit action: `container_start` -> `container.start`.
    #[must_use]
    pub fn action(&self) -> String {
        self.id.replacen('_', ".", 1)
    }
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $id:literal $type:ident: $method:ident $path:literal $privilege:ident $shape:ident $changes:ident
        ($params:ty, $body:ty) -> $reply:ty;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $type;

            impl Operation for $type {
                type Params = $params;
                type Body = $body;
                type Reply = $reply;
                const INFO: OperationInfo = OperationInfo {
                    id: $id,
                    method: stringify!($method),
                    path: $path,
                    privilege: Privilege::$privilege,
                    shape: Shape::$shape,
                    summary: concat!($($doc),+).trim_ascii(),
                    changes: operations!(@ $changes),
                    schemas: |g| [
                        g.subschema_for::<$params>(),
                        g.subschema_for::<$body>(),
                        g.subschema_for::<$reply>(),
                    ],
                };
            }
        )*

        /// All operations, in the order of this file.
        pub const OPERATIONS: &[OperationInfo] = &[$(<$type as Operation>::INFO),*];
    };
    (@ changes) => { true };
    (@ reads) => { false };
}

operations! {
    /// Creates a container.
    "container_create" ContainerCreateOp: POST "/api/v1/containers" Container Plain changes (Nothing, ContainerCreate) -> Container;
    /// Lists containers.
    "container_list" ContainerListOp: GET "/api/v1/containers" Read Plain reads (ContainerList, Nothing) -> Vec<Container>;
    /// Shows all that is known of a container.
    "container_inspect" ContainerInspectOp: GET "/api/v1/containers/{name}" Read Plain reads (Named, Nothing) -> Container;
    /// Starts a container and returns when its command runs.
    "container_start" ContainerStartOp: POST "/api/v1/containers/{name}/start" Container Plain changes (Named, Nothing) -> Container;
    /// Stops a container: its stop signal, then after its time the kill.
    "container_stop" ContainerStopOp: POST "/api/v1/containers/{name}/stop" Container Plain changes (ContainerStop, Nothing) -> Container;
    /// Stops a container and starts it again.
    "container_restart" ContainerRestartOp: POST "/api/v1/containers/{name}/restart" Container Plain changes (ContainerStop, Nothing) -> Container;
    /// Sends a signal to a container's command.
    "container_kill" ContainerKillOp: POST "/api/v1/containers/{name}/kill" Container Plain changes (ContainerKill, Nothing) -> Container;
    /// Removes a container and what it wrote.
    "container_delete" ContainerDeleteOp: DELETE "/api/v1/containers/{name}" Container Plain changes (ContainerDelete, Nothing) -> Nothing;
    /// Runs a command in a running container.
    "container_exec" ContainerExecOp: POST "/api/v1/containers/{name}/exec" Container Stream changes (ContainerExec, Nothing) -> Nothing;
    /// Connects to a container's terminal or streams.
    "container_attach" ContainerAttachOp: POST "/api/v1/containers/{name}/attach" Container Stream changes (ContainerAttach, Nothing) -> Nothing;
    /// Changes a container's limits, at once where it runs.
    "container_update" ContainerUpdateOp: PATCH "/api/v1/containers/{name}" Container Plain changes (Named, ContainerUpdate) -> Container;
    /// Gives a stopped container another name.
    "container_rename" ContainerRenameOp: POST "/api/v1/containers/{name}/rename" Container Plain changes (ContainerRename, Nothing) -> Container;
    /// Copies a file or folder out of a container, as a tar archive.
    "container_copy_out" ContainerCopyOutOp: GET "/api/v1/containers/{name}/files" Container Download reads (ContainerPath, Nothing) -> Nothing;
    /// Unpacks a tar archive into a folder of a container.
    "container_copy_in" ContainerCopyInOp: PUT "/api/v1/containers/{name}/files" Container Upload changes (ContainerPath, Nothing) -> Nothing;
    /// Waits until a container has ended.
    "container_wait" ContainerWaitOp: POST "/api/v1/containers/{name}/wait" Read Plain reads (Named, Nothing) -> ContainerWaited;
    /// Writes a container's root out as a tar archive.
    "container_export" ContainerExportOp: GET "/api/v1/containers/{name}/export" Container Download reads (Named, Nothing) -> Nothing;
    /// Makes another container like one, or like one was at a snapshot.
    "container_clone" ContainerCloneOp: POST "/api/v1/containers/{name}/clone" Container Progress changes (Named, ContainerClone) -> Container;
    /// Makes an image of a container.
    "container_commit" ContainerCommitOp: POST "/api/v1/containers/{name}/commit" Container Progress changes (Named, ContainerCommit) -> Image;

    /// Makes a snapshot of what a container has written.
    "snapshot_create" SnapshotCreateOp: POST "/api/v1/containers/{name}/snapshots" Container Progress changes (Named, SnapshotCreate) -> Snapshot;
    /// Lists snapshots.
    "snapshot_list" SnapshotListOp: GET "/api/v1/snapshots" Read Plain reads (SnapshotList, Nothing) -> Vec<Snapshot>;
    /// Makes a stopped container what it was at a snapshot.
    "snapshot_restore" SnapshotRestoreOp: POST "/api/v1/containers/{name}/snapshots/{snapshot}/restore" Container Plain changes (SnapshotName, Nothing) -> Container;
    /// Removes a snapshot.
    "snapshot_delete" SnapshotDeleteOp: DELETE "/api/v1/containers/{name}/snapshots/{snapshot}" Container Plain changes (SnapshotName, Nothing) -> Nothing;
    /// Compares a snapshot with the container as it is, or with another snapshot.
    "snapshot_diff" SnapshotDiffOp: GET "/api/v1/containers/{name}/snapshots/{snapshot}/diff" Container Plain reads (SnapshotDiff, Nothing) -> Vec<CasChange>;

    /// Makes an image of Debian, or gets one from a registry.
    "image_pull" ImagePullOp: POST "/api/v1/images/pull" Container Progress changes (Nothing, ImagePull) -> Image;
    /// Sends an image to a registry.
    "image_push" ImagePushOp: POST "/api/v1/images/push" Container Progress changes (Nothing, ImagePush) -> ImagePushed;
    /// Takes in a root file system: a tar archive as the body, or a path of the host (root only).
    "image_import" ImageImportOp: POST "/api/v1/images/import" Container UploadProgress changes (ImageImport, Nothing) -> Image;
    /// Makes an image of a folder, or of what a Containerfile says.
    "image_build" ImageBuildOp: POST "/api/v1/images/build" Container UploadProgress changes (ImageBuild, Nothing) -> Image;
    /// Writes an image out as a tar archive.
    "image_export" ImageExportOp: GET "/api/v1/images/export" Container Download reads (ImageExport, Nothing) -> Nothing;
    /// Lists images.
    "image_list" ImageListOp: GET "/api/v1/images" Read Plain reads (Nothing, Nothing) -> Vec<Image>;
    /// Shows all that is known of an image.
    "image_inspect" ImageInspectOp: GET "/api/v1/images/inspect" Read Plain reads (ImageName, Nothing) -> Image;
    /// Gives an image a further name.
    "image_tag" ImageTagOp: POST "/api/v1/images/tag" Container Plain changes (ImageTag, Nothing) -> Image;
    /// Removes a name of an image, and the image with its last name.
    "image_delete" ImageDeleteOp: DELETE "/api/v1/images" Container Plain changes (ImageName, Nothing) -> Nothing;

    /// Asks a registry whether it knows an account.
    "registry_login" RegistryLoginOp: POST "/api/v1/registries/login" Container Plain changes (Nothing, RegistryLogin) -> RegistryKnown;

    /// Says what the store has and what that takes.
    "cas_status" CasStatusOp: GET "/api/v1/cas" Read Plain reads (Nothing, Nothing) -> CasStatus;
    /// Stores a folder of the host under a name.
    "cas_build" CasBuildOp: POST "/api/v1/cas/trees" Admin Progress changes (Nothing, CasBuild) -> CasBuilt;
    /// Lists the names of trees.
    "cas_list" CasListOp: GET "/api/v1/cas/trees" Read Plain reads (Nothing, Nothing) -> Vec<CasTree>;
    /// Takes away a name that was built.
    "cas_delete" CasDeleteOp: DELETE "/api/v1/cas/trees" Admin Plain changes (CasName, Nothing) -> Nothing;
    /// Sends a tree to a registry: only what is not there.
    "cas_push" CasPushOp: POST "/api/v1/cas/push" Container Progress changes (Nothing, CasPush) -> CasPushed;
    /// Fetches a tree from a registry: only what is not here.
    "cas_pull" CasPullOp: POST "/api/v1/cas/pull" Admin Progress changes (Nothing, CasPull) -> CasPulled;
    /// Reads everything in the store, and fetches again what is damaged.
    "cas_verify" CasVerifyOp: POST "/api/v1/cas/verify" Admin Progress changes (Nothing, CasVerify) -> CasVerified;
    /// Removes what nothing in the store reaches.
    "cas_gc" CasGcOp: POST "/api/v1/cas/gc" Admin Plain changes (Nothing, CasGc) -> CasSwept;
    /// Says what is stored once in place of many times.
    "cas_dedup" CasDedupOp: GET "/api/v1/cas/dedup" Container Plain reads (Nothing, Nothing) -> CasDedup;
    /// Lists what is in a folder of a tree.
    "cas_ls" CasLsOp: GET "/api/v1/cas/ls" Container Plain reads (CasLs, Nothing) -> Vec<CasEntry>;
    /// Reads a file of a tree.
    "cas_cat" CasCatOp: GET "/api/v1/cas/cat" Container Download reads (CasPath, Nothing) -> Nothing;
    /// Compares two trees.
    "cas_diff" CasDiffOp: GET "/api/v1/cas/diff" Container Plain reads (CasDiff, Nothing) -> Vec<CasChange>;
    /// Writes a tree out as a tar archive.
    "cas_export" CasExportOp: GET "/api/v1/cas/export" Container Download reads (CasName, Nothing) -> Nothing;

    /// Brings a stack up: what is there becomes what the document wants.
    "compose_up" ComposeUpOp: POST "/api/v1/stacks/{name}/up" Container Progress changes (Named, ComposeUp) -> ComposePlan;
    /// Says what bringing a stack up would do.
    "compose_plan" ComposePlanOp: POST "/api/v1/stacks/{name}/plan" Container Plain reads (Named, ComposeUp) -> ComposePlan;
    /// Stops and removes what belongs to a stack.
    "compose_down" ComposeDownOp: POST "/api/v1/stacks/{name}/down" Container Progress changes (Named, ComposeDown) -> ComposePlan;
    /// Makes a container for one command, like those of a service of a stack, and has up what that depends on.
    "compose_run" ComposeRunOp: POST "/api/v1/stacks/{name}/run" Container Progress changes (Named, ComposeRun) -> Container;
    /// Starts what there is of a stack, in its order.
    "compose_start" ComposeStartOp: POST "/api/v1/stacks/{name}/start" Container Progress changes (Named, ComposeServices) -> ComposePlan;
    /// Stops what runs of a stack, against its order.
    "compose_stop" ComposeStopOp: POST "/api/v1/stacks/{name}/stop" Container Progress changes (Named, ComposeServices) -> ComposePlan;
    /// Stops and starts what there is of a stack.
    "compose_restart" ComposeRestartOp: POST "/api/v1/stacks/{name}/restart" Container Progress changes (Named, ComposeServices) -> ComposePlan;
    /// Lists stacks.
    "compose_ls" ComposeLsOp: GET "/api/v1/stacks" Read Plain reads (Nothing, Nothing) -> Vec<ComposeStack>;
    /// Shows what belongs to a stack.
    "compose_ps" ComposePsOp: GET "/api/v1/stacks/{name}" Read Plain reads (Named, Nothing) -> ComposeStack;

    /// Makes a volume.
    "volume_create" VolumeCreateOp: POST "/api/v1/volumes" Container Plain changes (Nothing, VolumeCreate) -> Volume;
    /// Lists volumes.
    "volume_list" VolumeListOp: GET "/api/v1/volumes" Read Plain reads (Nothing, Nothing) -> Vec<Volume>;
    /// Shows all that is known of a volume, with its size.
    "volume_inspect" VolumeInspectOp: GET "/api/v1/volumes/{name}" Read Plain reads (Named, Nothing) -> Volume;
    /// Removes a volume and what is in it.
    "volume_delete" VolumeDeleteOp: DELETE "/api/v1/volumes/{name}" Container Plain changes (Named, Nothing) -> Nothing;
    /// Lists the health of all workloads that have a check.
    "health_list" HealthListOp: GET "/api/v1/health" Read Plain reads (Nothing, Nothing) -> Vec<Health>;
    /// Shows how a workload is.
    "health_status" HealthStatusOp: GET "/api/v1/health/{name}" Read Plain reads (Named, Nothing) -> Health;
    /// Lists what became of a workload's health, the oldest first.
    "health_history" HealthHistoryOp: GET "/api/v1/health/{name}/history" Read Plain reads (Named, Nothing) -> Vec<HealthEntry>;
    /// Says what is to be looked at, over what the workload was created with.
    "health_configure" HealthConfigureOp: PUT "/api/v1/health/{name}" Container Plain changes (Named, HealthConfigure) -> Health;

    /// Makes a network with its bridge.
    "net_create" NetCreateOp: POST "/api/v1/networks" Admin Plain changes (Nothing, NetCreate) -> Network;
    /// Lists networks.
    "net_list" NetListOp: GET "/api/v1/networks" Read Plain reads (Nothing, Nothing) -> Vec<Network>;
    /// Shows all that is known of a network.
    "net_inspect" NetInspectOp: GET "/api/v1/networks/{name}" Read Plain reads (Named, Nothing) -> Network;
    /// Removes a network and its bridge.
    "net_delete" NetDeleteOp: DELETE "/api/v1/networks/{name}" Admin Plain changes (Named, Nothing) -> Nothing;
    /// Connects a container to a network, also while it runs.
    "net_connect" NetConnectOp: POST "/api/v1/networks/{name}/connect" Container Plain changes (Named, NetConnect) -> Container;
    /// Disconnects a container from a network.
    "net_disconnect" NetDisconnectOp: POST "/api/v1/networks/{name}/disconnect" Container Plain changes (Named, NetDisconnect) -> Container;
    /// Lists the connections of workloads to networks, and what goes through them.
    "net_status" NetStatusOp: GET "/api/v1/network-connections" Read Plain reads (NetStatus, Nothing) -> Vec<NetConnection>;
    /// Captures the packets of a workload's connection, as a pcap file.
    "net_capture" NetCaptureOp: POST "/api/v1/network-connections/{name}/capture" Admin Download changes (NetCapture, Nothing) -> Nothing;
    /// Makes a TAP, by which a virtual machine is a member of a network.
    "net_tap_create" NetTapCreateOp: POST "/api/v1/taps" Admin Plain changes (Nothing, NetTapCreate) -> NetTap;
    /// Lists TAPs.
    "net_tap_list" NetTapListOp: GET "/api/v1/taps" Read Plain reads (Nothing, Nothing) -> Vec<NetTap>;
    /// Removes a TAP.
    "net_tap_delete" NetTapDeleteOp: DELETE "/api/v1/taps/{name}" Admin Plain changes (Named, Nothing) -> Nothing;
    /// Makes a bridge that belongs to no network.
    "net_bridge_create" NetBridgeCreateOp: POST "/api/v1/bridges" Admin Plain changes (Nothing, NetBridgeCreate) -> NetBridge;
    /// Lists all bridges of the host.
    "net_bridge_list" NetBridgeListOp: GET "/api/v1/bridges" Read Plain reads (Nothing, Nothing) -> Vec<NetBridge>;
    /// Removes a bridge that belongs to no network.
    "net_bridge_delete" NetBridgeDeleteOp: DELETE "/api/v1/bridges/{name}" Admin Plain changes (Named, Nothing) -> Nothing;

    /// Makes a policy: who may reach whom on networks.
    "net_policy_create" NetPolicyCreateOp: POST "/api/v1/network-policies" Admin Plain changes (Nothing, NetPolicy) -> NetPolicy;
    /// Lists the policies that are in force.
    "net_policy_list" NetPolicyListOp: GET "/api/v1/network-policies" Read Plain reads (Nothing, Nothing) -> Vec<NetPolicy>;
    /// Removes a policy.
    "net_policy_delete" NetPolicyDeleteOp: DELETE "/api/v1/network-policies/{name}" Admin Plain changes (Named, Nothing) -> Nothing;
    /// Says what is done in a network with what no policy is about.
    "net_policy_default" NetPolicyDefaultOp: PUT "/api/v1/networks/{name}/policy" Admin Plain changes (Named, NetPolicyDefault) -> Network;
    /// Says whether somebody may reach somebody, and by which rule.
    "net_policy_test" NetPolicyTestOp: GET "/api/v1/network-policy-test" Read Plain reads (NetPolicyTest, Nothing) -> Vec<NetPolicyAnswer>;

    /// Adds a rule to the firewall.
    "firewall_rule_add" FirewallRuleAddOp: POST "/api/v1/firewall/rules" Admin Plain changes (Nothing, FirewallRule) -> FirewallRule;
    /// Lists the rules that are in force.
    "firewall_rule_list" FirewallRuleListOp: GET "/api/v1/firewall/rules" Read Plain reads (Nothing, Nothing) -> Vec<FirewallRule>;
    /// Removes a rule of the firewall.
    "firewall_rule_delete" FirewallRuleDeleteOp: DELETE "/api/v1/firewall/rules/{name}" Admin Plain changes (Named, Nothing) -> Nothing;
    /// Says how the firewall stands.
    "firewall_status" FirewallStatusOp: GET "/api/v1/firewall" Admin Plain reads (Nothing, Nothing) -> FirewallStatus;
    /// Puts in force what the files of rules and policies say.
    "firewall_reload" FirewallReloadOp: POST "/api/v1/firewall/reload" Admin Plain changes (Nothing, Nothing) -> FirewallStatus;

    /// Makes a secret of the bytes that are sent.
    "secret_create" SecretCreateOp: POST "/api/v1/secrets/{name}" Container Upload changes (SecretCreate, Nothing) -> Secret;
    /// Lists secrets, without what is secret of them.
    "secret_list" SecretListOp: GET "/api/v1/secrets" Read Plain reads (Nothing, Nothing) -> Vec<Secret>;
    /// Removes a secret.
    "secret_delete" SecretDeleteOp: DELETE "/api/v1/secrets/{name}" Container Plain changes (Named, Nothing) -> Nothing;

    /// Makes a service: a unit of systemd.
    "service_create" ServiceCreateOp: POST "/api/v1/services" Admin Plain changes (Nothing, ServiceCreate) -> Service;
    /// Lists services.
    "service_list" ServiceListOp: GET "/api/v1/services" Read Plain reads (ServiceList, Nothing) -> Vec<Service>;
    /// Says how exposed services are in each sandbox.
    "service_profiles" ServiceProfilesOp: GET "/api/v1/service-profiles" Read Plain reads (Nothing, Nothing) -> Vec<ServiceProfile>;
    /// Shows how a service is, one of Volt's or a unit of the host.
    "service_status" ServiceStatusOp: GET "/api/v1/services/{name}" Read Plain reads (Named, Nothing) -> Service;
    /// Shows the files of a service's unit, in the order in which systemd reads them.
    "service_show" ServiceShowOp: GET "/api/v1/services/{name}/files" Read Plain reads (Named, Nothing) -> Vec<ServiceFile>;
    /// Starts a service and returns when its command runs.
    "service_start" ServiceStartOp: POST "/api/v1/services/{name}/start" Container Plain changes (Named, Nothing) -> Service;
    /// Stops a service.
    "service_stop" ServiceStopOp: POST "/api/v1/services/{name}/stop" Container Plain changes (Named, Nothing) -> Service;
    /// Sends a signal to all processes of a service.
    "service_kill" ServiceKillOp: POST "/api/v1/services/{name}/kill" Container Plain changes (ServiceKill, Nothing) -> Service;
    /// Stops a service and starts it again.
    "service_restart" ServiceRestartOp: POST "/api/v1/services/{name}/restart" Container Plain changes (Named, Nothing) -> Service;
    /// Lets a service come up at boot.
    "service_enable" ServiceEnableOp: POST "/api/v1/services/{name}/enable" Admin Plain changes (ServiceEnable, Nothing) -> Service;
    /// Lets a service come up at boot no more.
    "service_disable" ServiceDisableOp: POST "/api/v1/services/{name}/disable" Admin Plain changes (ServiceEnable, Nothing) -> Service;
    /// Reads the drop-in over a service's unit.
    "service_read" ServiceReadOp: GET "/api/v1/services/{name}/drop-in" Admin Plain reads (Named, Nothing) -> ServiceText;
    /// Writes the drop-in over a service's unit, after systemd has looked at the whole.
    "service_write" ServiceWriteOp: PUT "/api/v1/services/{name}/drop-in" Admin Plain changes (Named, ServiceText) -> ServiceText;
    /// Removes a service of Volt's.
    "service_delete" ServiceDeleteOp: DELETE "/api/v1/services/{name}" Admin Plain changes (ServiceDelete, Nothing) -> Nothing;

    /// Makes a task: a timer of systemd and what it starts.
    "task_create" TaskCreateOp: POST "/api/v1/tasks" Admin Plain changes (Nothing, TaskCreate) -> Task;
    /// Lists tasks.
    "task_list" TaskListOp: GET "/api/v1/tasks" Read Plain reads (Nothing, Nothing) -> Vec<Task>;
    /// Shows all that is known of a task.
    "task_inspect" TaskInspectOp: GET "/api/v1/tasks/{name}" Read Plain reads (Named, Nothing) -> Task;
    /// Runs a task now: what it writes, and at last how it ended.
    "task_run" TaskRunOp: POST "/api/v1/tasks/{name}/run" Container Lines changes (Named, Nothing) -> TaskOutput;
    /// Lists how the runs of a task ended, the newest last.
    "task_history" TaskHistoryOp: GET "/api/v1/tasks/{name}/history" Read Plain reads (Named, Nothing) -> Vec<TaskRun>;
    /// Lets the timer start a task.
    "task_enable" TaskEnableOp: POST "/api/v1/tasks/{name}/enable" Admin Plain changes (Named, Nothing) -> Task;
    /// Lets the timer start a task no more.
    "task_disable" TaskDisableOp: POST "/api/v1/tasks/{name}/disable" Admin Plain changes (Named, Nothing) -> Task;
    /// Removes a task.
    "task_delete" TaskDeleteOp: DELETE "/api/v1/tasks/{name}" Admin Plain changes (TaskDelete, Nothing) -> Nothing;

    /// Lists workloads of every kind.
    "workload_list" WorkloadListOp: GET "/api/v1/workloads" Read Plain reads (WorkloadList, Nothing) -> Vec<Workload>;
    /// Shows all that is known of a workload or a unit of the host.
    "workload_inspect" WorkloadInspectOp: GET "/api/v1/workloads/{name}" Read Plain reads (Named, Nothing) -> WorkloadDetails;
    /// Starts a workload; a unit of the host only for root.
    "workload_start" WorkloadStartOp: POST "/api/v1/workloads/{name}/start" Container Plain changes (Named, Nothing) -> Workload;
    /// Stops a workload; a unit of the host only for root.
    "workload_stop" WorkloadStopOp: POST "/api/v1/workloads/{name}/stop" Container Plain changes (Named, Nothing) -> Workload;
    /// Restarts a workload; a unit of the host only for root.
    "workload_restart" WorkloadRestartOp: POST "/api/v1/workloads/{name}/restart" Container Plain changes (Named, Nothing) -> Workload;
    /// Holds all processes of a workload still.
    "workload_freeze" WorkloadFreezeOp: POST "/api/v1/workloads/{name}/freeze" Container Plain changes (Named, Nothing) -> Workload;
    /// Lets a frozen workload go on.
    "workload_thaw" WorkloadThawOp: POST "/api/v1/workloads/{name}/thaw" Container Plain changes (Named, Nothing) -> Workload;
    /// Reads the log of a workload or of any unit of the host.
    "workload_logs" WorkloadLogsOp: GET "/api/v1/workloads/{name}/logs" Read Lines reads (WorkloadLogs, Nothing) -> LogLine;
    /// Measures what every running workload uses.
    "workload_top" WorkloadTopOp: GET "/api/v1/top" Read Plain reads (Nothing, Nothing) -> Vec<Usage>;
    /// Tells what happens, as it happens.
    "event_stream" EventStreamOp: GET "/api/v1/events" Read Events reads (Nothing, Nothing) -> Event;

    /// Tells the server's version.
    "system_version" SystemVersionOp: GET "/api/v1/system/version" Read Plain reads (Nothing, Nothing) -> Version;
    /// Describes the host and what Volt has on it.
    "system_info" SystemInfoOp: GET "/api/v1/system/info" Read Plain reads (Nothing, Nothing) -> SystemInfo;
    /// Finds what the host can't do and what of Volt's state is amiss.
    "system_check" SystemCheckOp: GET "/api/v1/system/check" Read Plain reads (Nothing, Nothing) -> SystemCheck;
    /// Mends what `system check` finds in Volt's state.
    "system_repair" SystemRepairOp: POST "/api/v1/system/repair" Admin Plain changes (Nothing, Nothing) -> SystemCheck;
    /// Measures disk space by kind.
    "system_df" SystemDfOp: GET "/api/v1/system/df" Read Plain reads (Nothing, Nothing) -> Vec<DiskUsage>;
    /// Removes what nothing uses.
    "system_prune" SystemPruneOp: POST "/api/v1/system/prune" Admin Plain changes (Nothing, SystemPrune) -> Pruned;

    /// Shows every key of the configuration with its value.
    "config_show" ConfigShowOp: GET "/api/v1/config" Read Plain reads (Nothing, Nothing) -> Vec<ConfigValue>;
    /// Shows one key of the configuration.
    "config_get" ConfigGetOp: GET "/api/v1/config/{key}" Read Plain reads (ConfigKey, Nothing) -> ConfigValue;
    /// Changes one key of the configuration.
    "config_set" ConfigSetOp: POST "/api/v1/config/{key}" Admin Plain changes (ConfigKey, ConfigSet) -> ConfigValue;
    /// Reads the configuration file.
    "config_read" ConfigReadOp: GET "/api/v1/config-file" Read Plain reads (Nothing, Nothing) -> ConfigText;
    /// Writes the configuration file, after a check.
    "config_write" ConfigWriteOp: PUT "/api/v1/config-file" Admin Plain changes (Nothing, ConfigText) -> ConfigText;

    /// Lists lines of the audit trail, the newest last.
    "audit_list" AuditListOp: GET "/api/v1/audit" Container Plain reads (AuditList, Nothing) -> Vec<AuditRecord>;
    /// Shows one line of the audit trail.
    "audit_show" AuditShowOp: GET "/api/v1/audit/{request_id}" Container Plain reads (AuditShow, Nothing) -> AuditRecord;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_routes_are_unique() {
        let mut ids: Vec<_> = OPERATIONS.iter().map(|o| o.id).collect();
        let mut routes: Vec<_> = OPERATIONS.iter().map(|o| (o.path, o.method)).collect();
        ids.sort_unstable();
        routes.sort_unstable();
        assert!(ids.windows(2).all(|w| w[0] != w[1]));
        assert!(routes.windows(2).all(|w| w[0] != w[1]));
    }

    #[test]
    fn actions_have_one_dot() {
        let copy = OPERATIONS.iter().find(|o| o.id == "container_copy_in").unwrap();
        assert_eq!(copy.action(), "container.copy_in");
    }
}
