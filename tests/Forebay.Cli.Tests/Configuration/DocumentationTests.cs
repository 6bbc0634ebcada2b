using Forebay.Cli.Configuration;

namespace Forebay.Cli.Tests.Configuration;

public sealed class DocumentationTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "docs", "CONFIGURATION.md"));

    public static TheoryData<string, string[]> Groups => new()
    {
        { "Top of the file", Rows(KnownOptions.Top) },
        { "Presets", [.. Preset.All.Select(preset => preset.ToMarkdown())] },
        { "`mounts.NAME`", Rows(KnownOptions.Mount) },
        { "`cache[]`", Rows(KnownOptions.Tier) },
        { "`s3`", Rows(KnownOptions.S3) },
        { "`keys[]`", Rows(KnownOptions.Key) },
        { "`admin`", Rows(KnownOptions.Admin) },
        { "`fill`", Rows(KnownOptions.Fill) },
        { "`limits`", Rows(KnownOptions.Limits) },
        { "`log`", Rows(KnownOptions.Log) },
    };

    [Theory]
    [MemberData(nameof(Groups))]
    public void EveryOptionIsDocumentedWithItsDefaultAndBound(string title, string[] rows)
    {
        IEnumerable<string> section = Lines.SkipWhile(line => line != $"### {title}").Skip(1).TakeWhile(line => !line.StartsWith('#'));

        string[] documented = [.. section.Where(line => line.StartsWith("| `", StringComparison.Ordinal))];

        Assert.Equal(string.Join('\n', rows), string.Join('\n', documented));
    }

    private static string[] Rows<T>(OptionTable<T> table) => [.. table.Rows.Select(row => row.ToMarkdown())];
}
