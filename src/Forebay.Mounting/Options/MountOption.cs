namespace Forebay.Mounting.Options;

/// <summary>One name that <c>-o</c> takes: how it is written, its default and meaning, and how it is bound.</summary>
/// <param name="Name">As written; <c>x-*</c> stands for all names that begin so.</param>
/// <param name="Value">What may follow the <c>=</c>; empty for a flag.</param>
/// <param name="Default">What holds when it is not given.</param>
/// <param name="Meaning">One sentence.</param>
/// <param name="Bind">Reads a value (null when no <c>=</c> was written) into the options; on a fault it says it and gives null.</param>
internal sealed record MountOption(string Name, string Value, string Default, string Meaning, MountOption.Binder Bind)
{
    /// <summary>Binds one value.</summary>
    internal delegate MountOptions? Binder(MountOptions options, string? value, out string fault);

    /// <summary>The row of this option in docs/MOUNT.md.</summary>
    public string ToMarkdown() => $"| `{Name}{(Value.Length == 0 ? "" : "=")}` | {(Value.Length == 0 ? "–" : Value)} | {Default} | {Meaning} |";
}
