namespace Forebay.Cli.Configuration;

/// <summary>A piece of a YAML file that remembers its line.</summary>
/// <param name="Line">Line of its first character, from 1.</param>
internal abstract record YamlNode(int Line)
{
    /// <summary>What it is, for messages.</summary>
    public abstract string Kind { get; }
}

/// <summary>A single value; <paramref name="Text"/> is null for an empty or null value.</summary>
internal sealed record YamlScalar(string? Text, int Line) : YamlNode(Line)
{
    public override string Kind => Text is null ? "empty" : "a single value";
}

/// <summary>A list.</summary>
internal sealed record YamlList(IReadOnlyList<YamlNode> Items, int Line) : YamlNode(Line)
{
    public override string Kind => "a list";
}

/// <summary>Names with values, in the order of the file; a repeated name has been reported and is kept once.</summary>
internal sealed record YamlMap(IReadOnlyList<YamlEntry> Entries, int Line) : YamlNode(Line)
{
    public override string Kind => "a group of options";

    public YamlEntry? Find(string key) => Entries.FirstOrDefault(entry => string.Equals(entry.Key, key, StringComparison.Ordinal));
}

/// <summary>One name of a <see cref="YamlMap"/>.</summary>
internal sealed record YamlEntry(string Key, YamlNode Value, int Line);
