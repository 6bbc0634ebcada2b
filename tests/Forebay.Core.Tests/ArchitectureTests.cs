using System.Text.RegularExpressions;
using Xunit;

namespace Forebay.Core.Tests;

/// <summary>The shape of the source: which room may know which, and what every room has.</summary>
public sealed partial class ArchitectureTests
{
    private const int MostLines = 500;

    /// <summary>What each room may reference. A new room is added here on purpose, not by accident.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Core"] = [],
        ["Caching"] = ["Core"],
        ["UnderStores"] = ["Core"],
        ["Engine"] = ["Core", "Caching"],
        ["Fuse"] = ["Core"],
        ["S3"] = ["Core", "Engine"],
        ["Admin"] = ["Core", "Engine"],
        ["Cli"] = ["Core", "Caching", "UnderStores", "Engine", "S3", "Admin"],
    };

    private static readonly string Source = FindSource();

    public static TheoryData<string> Rooms => [.. Directory.GetDirectories(Source).Where(room => Directory.GetFiles(room, "*.csproj").Length > 0).Select(room => Path.GetFileName(room)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomReferencesOnlyRoomsBelowIt(string room)
    {
        string project = File.ReadAllText(Path.Combine(Source, room, $"{room}.csproj"));
        string[] references = [.. ProjectReference().Matches(project).Select(match => match.Groups["room"].Value)];

        Assert.True(Allowed.TryGetValue(NameOf(room), out string[]? allowed), $"{room} is new: say in this test which rooms it may reference.");
        Assert.All(references, reference => Assert.True(allowed.Contains(reference, StringComparer.Ordinal), $"{room} must not reference Forebay.{reference}; the arrows are in docs/ARCHITECTURE.md."));
        Assert.Equal(project.Split("<ProjectReference").Length - 1, references.Length);
    }

    [Fact]
    public void TheAllowedArrowsHaveNoCycle()
    {
        HashSet<string> reached = new(StringComparer.Ordinal);
        while (Allowed.Keys.FirstOrDefault(room => !reached.Contains(room) && Allowed[room].All(reached.Contains)) is { } next)
        {
            reached.Add(next);
        }

        Assert.Equal(Allowed.Keys.Order(StringComparer.Ordinal), reached.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Rooms))]
    public void ARoomSaysWhatLivesInIt(string room)
        => Assert.True(File.Exists(Path.Combine(Source, room, "README.md")), $"{room} has no README.md.");

    [Fact]
    public void NothingIsNamedForWhatItIsNot()
    {
        IEnumerable<string> names = Files().SelectMany(path => Path.GetRelativePath(Source, path).Split('/', '.')).Distinct(StringComparer.Ordinal);

        Assert.DoesNotContain(names, name => Vague().IsMatch(name));
    }

    [Fact]
    public void NoFileIsTooLongToReadAtOnce()
    {
        string[] tooLong = [.. Files().Select(path => (Path: Path.GetRelativePath(Source, path), Lines: File.ReadLines(path).Count())).Where(file => file.Lines > MostLines).Select(file => $"{file.Path}: {file.Lines} lines")];

        Assert.True(tooLong.Length == 0, $"split by role: {string.Join(", ", tooLong)}");
    }

    private static IEnumerable<string> Files()
        => Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories).Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal));

    private static string NameOf(string room) => room[(room.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private static string FindSource()
    {
        DirectoryInfo directory = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory.FullName, "Forebay.slnx")))
        {
            directory = directory.Parent ?? throw new InvalidOperationException("the tests do not run inside the repository");
        }

        return Path.Combine(directory.FullName, "src");
    }

    [GeneratedRegex("""<ProjectReference Include="\.\./Forebay\.(?<room>\w+)/Forebay\.\k<room>\.csproj" */>""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ProjectReference();

    [GeneratedRegex("^(Common|Utils?|Utilities|Helpers?|Misc|Shared)$|(Utils|Utilities|Helpers?)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Vague();
}
