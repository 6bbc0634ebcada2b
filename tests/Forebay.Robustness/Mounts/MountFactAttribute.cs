namespace Forebay.Robustness.Mounts;

/// <summary>A test that mounts by FUSE; skipped, with the reason in the output, where that is not possible.</summary>
internal sealed class MountFactAttribute : FactAttribute
{
    public MountFactAttribute()
        : this(null, "")
    {
    }

    /// <summary>A test that also uses a program of a package.</summary>
    public MountFactAttribute(string? program, string package) => Skip = !File.Exists("/dev/fuse") ? "there is no /dev/fuse" : Environment.IsPrivilegedProcess ? Missing(program, package) : "needs root: it mounts";

    private static string? Missing(string? program, string package)
        => program is null || Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(directory => File.Exists(Path.Combine(directory, program))) ? null : $"needs {program} (package {package})";
}
