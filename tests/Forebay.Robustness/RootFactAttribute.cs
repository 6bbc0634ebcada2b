namespace Forebay.Robustness;

/// <summary>A test that mounts a file system; without root it is skipped, with this reason in the output.</summary>
internal sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.IsPrivilegedProcess ? null : "needs root: it mounts a small file system";
}
