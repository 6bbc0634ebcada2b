using Forebay.Mounting;
using Forebay.Mounting.Tests.Mounts;

// Holder and worker of the mounts of these tests are this program itself, with a small file system in memory.
return args switch
{
    [MountProcesses.HolderVerb, ..] => MountProcesses.RunHolder(),
    [MountProcesses.WorkerVerb, ..] => MountProcesses.RunWorker("test", (description, _) => new PatternService(description)),
    _ => 1,
};
