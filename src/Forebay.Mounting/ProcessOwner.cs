namespace Forebay.Mounting;

/// <summary>With whose rights this process runs.</summary>
public static class ProcessOwner
{
    /// <summary>Effective user id.</summary>
    public static uint User => Native.EffectiveUser();

    /// <summary>Effective group id.</summary>
    public static uint Group => Native.EffectiveGroup();
}
