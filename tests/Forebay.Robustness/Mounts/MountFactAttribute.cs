namespace Forebay.Robustness.Mounts;

/// <summary>A test that mounts by FUSE; skipped, with the reason in the output, where that is not possible.</summary>
internal sealed class MountFactAttribute : FactAttribute
{
    public MountFactAttribute() => Skip = !File.Exists("/dev/fuse") ? "there is no /dev/fuse" : Environment.IsPrivilegedProcess ? null : "needs root: it mounts";
}
